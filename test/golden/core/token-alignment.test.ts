import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect } from "@jest/globals";
import { alignKnowledge } from "../../../shared/src/core/alignment/align-knowledge.ts";
import { boundaryMarkOf } from "../../../shared/src/core/alignment/boundary-mark.ts";
import { alignByDtw } from "../../../shared/src/core/alignment/dtw.ts";
import { alignByGreedyDp } from "../../../shared/src/core/alignment/greedy-dp.ts";
import { FateTransfer } from "../../../shared/src/core/alignment/transfer-fate.ts";
import { type Knowledge, MAPPED, type VocabularyMap } from "../../../shared/src/core/knowledge.ts";
import { itWithMaterial, material } from "../../support/material.ts";
import { openMaterialTokenizer } from "../../support/open-material-tokenizer.ts";

/** Made by running FATE-LLM's own functions. Its blending model is our source, its base model our target. */
interface ReferenceCase {
  text: string;
  base: string;
  blending: string;
  base_ids: number[];
  blending_ids: number[];
  base_tokens: string[];
  blending_tokens: string[];
  dtw_cost: number;
  dtw_base_to_blending: number[][];
  greedy_matches: [[number, number], [number, number]][];
  in_logits: number[][];
  in_indices: number[][];
  dtw_logits: number[][];
  dtw_indices: number[][];
  greedy_dp_logits: number[][];
  greedy_dp_indices: number[][];
}

const unzip = (path: string) => JSON.parse(gunzipSync(readFileSync(`${material}/data/golden/${path}`)).toString());
const cases: ReferenceCase[] = material === null ? [] : unzip("token_alignment_fate.json.gz");
const vocabularyOf = (name: string) => openMaterialTokenizer(name).vocabulary;
const marks = new Map<string, string>();
function strip(tokens: string[], name: string): string[] {
  if (!marks.has(name)) marks.set(name, boundaryMarkOf(vocabularyOf(name).strings));
  return tokens.map((token) => token.replaceAll(marks.get(name)!, ""));
}

const maps = new Map<string, VocabularyMap>();

/** The reference's map of strings by ids. */
function referenceMap(blending: string, base: string): VocabularyMap {
  const name = `vocabmap_${blending}__to__${base}.json.gz`;
  const known = maps.get(name);
  if (known !== undefined) return known;
  const rows: [token: string, nearest: string, distance: number, ties: number][] = unzip(name).rows;
  const [source, target] = [vocabularyOf(blending).strings, vocabularyOf(base).strings];
  expect(rows.map(([token]) => token)).toEqual(source);
  const idOf = new Map(target.map((string, id) => [string, id]));
  const targetOfSource = Int32Array.from(rows, ([, nearest]) => idOf.get(nearest)!);
  const map: VocabularyMap = {
    rule: "min-edit",
    targetOfSource,
    kind: new Uint8Array(source.length).fill(MAPPED.edit),
    distance: new Int32Array(source.length),
    groupOfTarget: new Int32Array(target.length),
    groups: 1,
    groupOfSource: new Int32Array(source.length),
  };
  maps.set(name, map);
  return map;
}

const vocabulariesOf = ({ base, blending }: Pick<ReferenceCase, "base" | "blending">) => ({
  source: vocabularyOf(blending),
  target: vocabularyOf(base),
});

/** Each pair of tokenizers with its cases. */
const byPair = Object.values(Object.groupBy(cases, ({ base, blending }) => `${blending} ${base}`)) as ReferenceCase[][];

describe("FATE-LLM's 192 alignments", () => {
  itWithMaterial("are there", () => {
    expect(cases.length).toBe(192);
  });

  itWithMaterial("have the same tokens in the vocabularies here", () => {
    for (const entry of cases) {
      expect(entry.base_ids.map((id) => vocabularyOf(entry.base).strings[id])).toEqual(entry.base_tokens);
      expect(entry.blending_ids.map((id) => vocabularyOf(entry.blending).strings[id])).toEqual(entry.blending_tokens);
    }
  });

  itWithMaterial("are dtw's, with its cost", () => {
    for (const entry of cases)
      expect(alignByDtw(strip(entry.blending_tokens, entry.blending), strip(entry.base_tokens, entry.base))).toEqual({
        totalCost: entry.dtw_cost,
        sourcesOfTarget: entry.dtw_base_to_blending,
      });
  });

  itWithMaterial("are greedy-dp's spans", () => {
    for (const entry of cases) {
      const { spans } = alignByGreedyDp(
        strip(entry.blending_tokens, entry.blending),
        strip(entry.base_tokens, entry.base),
      );
      expect(spans.map(({ source, target }) => [target, source])).toEqual(entry.greedy_matches);
    }
  });

  for (const strategy of ["dtw", "greedy-dp"] as const)
    itWithMaterial(`give, transferred by ${strategy}, its output to the last number and in its order`, () => {
      for (const entries of byPair) {
        const fate = new FateTransfer(referenceMap(entries[0].blending, entries[0].base), vocabulariesOf(entries[0]));
        for (const entry of entries) {
          const source = strip(entry.blending_tokens, entry.blending);
          const target = strip(entry.base_tokens, entry.base);
          const align = strategy === "dtw" ? alignByDtw : alignByGreedyDp;
          const { sourcesOfTarget } = align(source, target);
          const rows = fate.transfer(strategy, entry.blending_ids, entry.base_ids, sourcesOfTarget, (token) => ({
            ids: entry.in_indices[token],
            scores: entry.in_logits[token],
          }));
          const isDtw = strategy === "dtw";
          expect(rows.map((row) => row?.ids)).toEqual(isDtw ? entry.dtw_indices : entry.greedy_dp_indices);
          expect(rows.map((row) => row?.scores)).toEqual(isDtw ? entry.dtw_logits : entry.greedy_dp_logits);
        }
      }
    });

  itWithMaterial("give, through shards, the softmax that its collator makes of that output", () => {
    for (const entries of byPair) {
      const map = referenceMap(entries[0].blending, entries[0].base);
      const aligned = alignKnowledge(
        shardOf(
          entries.map((entry) => ({ ids: entry.blending_ids, topIds: entry.in_indices, logits: entry.in_logits })),
        ),
        shardOf(
          entries.map(({ base_ids: ids }) => ({ ids, topIds: ids.map((id) => [id]), logits: ids.map(() => [0]) })),
        ),
        map,
        vocabulariesOf(entries[0]),
        { alignment: "dtw", transfer: "fate", learn: "token", temperature: 2 },
      );
      expect([...aligned.positions]).toEqual(entries.flatMap(({ base_ids }) => [...base_ids.keys()]));
      expect(aligned.tail.every((mass) => mass === 0)).toBe(true);
      const reference = entries.flatMap(({ dtw_indices, dtw_logits }) =>
        dtw_indices.map((indices, row) => ({ indices, logits: dtw_logits[row] })),
      );
      let worst = 0;
      reference.forEach(({ indices, logits }, row) => {
        const weights = logits.map((logit) => Math.exp(logit / 2));
        const total = weights.reduce((a, b) => a + b, 0);
        const expected = indices.map((id, k) => [id, weights[k] / total]).sort(([a], [b]) => a - b);
        const [first, stop] = [aligned.entryOffsets[row], aligned.entryOffsets[row + 1]];
        expect([...aligned.entries.subarray(first, stop)]).toEqual(expected.map(([id]) => id));
        for (const [index, [, probability]] of expected.entries())
          worst = Math.max(worst, Math.abs(aligned.probabilities[first + index] - probability));
      });
      expect(worst).toBeLessThan(1e-6);
    }
  });
});

/** Samples about whose every token something is known. Ends are no business of the reference's. */
function shardOf(samples: { ids: number[]; topIds: number[][]; logits: number[][] }[]): Knowledge {
  const tokens = samples.reduce((sum, { ids }) => sum + ids.length, 0);
  const tokenOffsets = offsetsOf(samples.map(({ ids }) => ids.length));
  const logProbs = samples.flatMap(({ logits }) =>
    logits.map((row) => {
      const total = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
      return row.map((logit) => logit - total);
    }),
  );
  return {
    sampleIds: Uint8Array.from(samples.flatMap((_, sample) => new Array<number>(16).fill(sample))),
    lossNats: new Float64Array(samples.length).fill(1),
    answerBytes: new Int32Array(samples.length).fill(1),
    answerPositions: Int32Array.from(samples, ({ ids }) => ids.length),
    tokenOffsets,
    tokenIds: Int32Array.from(samples.flatMap(({ ids }) => ids)),
    tokenEnds: new Int32Array(tokens),
    positionOffsets: tokenOffsets,
    positions: Int32Array.from(samples.flatMap(({ ids }) => [...ids.keys()])),
    entryOffsets: offsetsOf(logProbs.map((row) => row.length)),
    topIds: Int32Array.from(samples.flatMap(({ topIds }) => topIds.flat())),
    topLogProbs: Float32Array.from(logProbs.flat()),
    tailMass: new Float32Array(tokens),
  };
}

function offsetsOf(lengths: readonly number[]): Int32Array {
  const offsets = new Int32Array(lengths.length + 1);
  lengths.forEach((length, index) => {
    offsets[index + 1] = offsets[index] + length;
  });
  return offsets;
}
