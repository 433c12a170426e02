import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect } from "@jest/globals";
import { remove } from "../../support/cli.ts";
import { fedmkt } from "../../support/cli-process.ts";
import { itWithMaterial, material } from "../../support/material.ts";

interface ReferenceCase {
  text: string;
  base: string;
  blending: string;
  base_tokens: string[];
  blending_tokens: string[];
  dtw_base_to_blending: number[][];
  greedy_matches: [[number, number], [number, number]][];
}

const cases: ReferenceCase[] =
  material === null
    ? []
    : JSON.parse(gunzipSync(readFileSync(`${material}/data/golden/token_alignment_fate.json.gz`)).toString());
const pairs = [...new Set(cases.map(({ base, blending }) => `${blending} → ${base}`))];
const folder = mkdtempSync(join(tmpdir(), "fedmkt-align-"));
afterAll(() => remove(folder));

/** FATE-LLM's spans as the source tokens of each target token. */
function sourcesOfSpans({ base_tokens, greedy_matches }: ReferenceCase): number[][] {
  const sources = base_tokens.map((): number[] => []);
  for (const [[first, last], [from, to]] of greedy_matches)
    for (let token = first; token <= last; token++)
      sources[token] = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  return sources;
}

describe("fedmkt align gives FATE-LLM's alignments of its 192 cases", () => {
  for (const pair of pairs.length > 0 ? pairs : ["every pair"])
    itWithMaterial(
      pair,
      async () => {
        const chosen = cases.filter(({ base, blending }) => pair === `${blending} → ${base}`);
        const [source, target] = pair.split(" → ").map((name) => `${material}/data/tokenizers/${name}.tokenizer.json`);
        const [input, out] = [join(folder, "texts.jsonl"), join(folder, "aligned.jsonl")];
        writeFileSync(input, chosen.map(({ text }) => `${JSON.stringify({ text })}\n`).join(""));
        for (const strategy of ["dtw", "greedy-dp"]) {
          const files = ["--source", source, "--target", target, "--input", input, "--out", out];
          const { exitCode, stdout, stderr } = await fedmkt("align", ...files, "--strategy", strategy, "--json");
          expect([exitCode, exitCode === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
          const lines = readFileSync(out, "utf8").trimEnd().split("\n");
          expect(lines.map((line) => JSON.parse(line))).toEqual(
            chosen.map((entry) => ({
              sourceTokens: entry.blending_tokens,
              targetTokens: entry.base_tokens,
              sourcesOfTarget: strategy === "dtw" ? entry.dtw_base_to_blending : sourcesOfSpans(entry),
            })),
          );
        }
      },
      120_000,
    );
});
