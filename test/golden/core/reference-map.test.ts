import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect } from "@jest/globals";
import { mapVocabulary } from "../../../shared/src/core/alignment/vocabulary-map.ts";
import { itWithMaterial, material } from "../../support/material.ts";
import { openMaterialTokenizer } from "../../support/open-material-tokenizer.ts";

/** [source token, nearest target token of the lowest id, distance, how many targets are as near] */
type Row = [string, string, number, number];

describe("the rule `reference` beside an independent computation of FATE-LLM's, for every token", () => {
  for (const [source, target] of [
    ["babyllama105", "stories260k_tok512"],
    ["stories260k_tok512", "babyllama105"],
    ["smollm2", "stories260k_tok512"],
    ["gpt2", "mistral_v0.1"],
    ["mistral_v0.1", "gpt2"],
    ["gpt2", "llama2"],
    ["llama2", "gpt2"],
    ["opt", "llama2"],
    ["gpt_neox_pythia", "llama2"],
  ])
    itWithMaterial(
      `gives target, distance and number of ties from ${source} to ${target}`,
      () => {
        const file = readFileSync(`${material}/data/golden/vocabmap_${source}__to__${target}.json.gz`);
        const rows: Row[] = JSON.parse(gunzipSync(file).toString()).rows;
        const from = openMaterialTokenizer(source).vocabulary;
        const to = openMaterialTokenizer(target).vocabulary;
        expect(from.strings.length).toBe(rows.length);
        const ties = new Int32Array(rows.length).fill(1);
        const takeTies = (id: number, targets: readonly number[]) => {
          ties[id] = targets.length;
        };
        const map = mapVocabulary(from, to, "reference", { takeTies });
        const different = rows.filter(
          ([token, nearest, distance, equals], id) =>
            from.strings[id] !== token ||
            to.strings[map.targetOfSource[id]] !== nearest ||
            map.distance[id] !== distance ||
            ties[id] !== equals,
        );
        expect(different).toEqual([]);
      },
      120_000,
    );
});
