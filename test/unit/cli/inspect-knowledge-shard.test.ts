import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { openTokenizer } from "../../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import { encodeJson } from "../../../shared/src/contracts/json-document.ts";
import type { Knowledge } from "../../../shared/src/core/knowledge.ts";
import { writeKnowledgeShard } from "../../../shared/src/formats/knowledge-shard.ts";
import { writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { sha256 } from "../../../shared/src/formats/sha256.ts";
import { callCli, makeToyFolder, remove, write } from "../../support/cli.ts";
import { inspectIn } from "../../support/inspect-file.ts";
import { SUMMARY } from "../../support/summary.ts";
import { characterTokenizerJson } from "../../support/tiny-tokenizers.ts";

const HASH = "cd".repeat(32);

/** One sample "ab" of two answer tokens 1, 2 after BOS 0; at both positions half the mass on each of tokens 1 and 2, but a tenth cut off. */
const KNOWLEDGE: Knowledge = {
  sampleIds: new Uint8Array(16).fill(7),
  lossNats: Float64Array.of(-2 * Math.log(0.45)),
  answerBytes: Int32Array.of(2),
  answerPositions: Int32Array.of(2),
  tokenOffsets: Int32Array.of(0, 3),
  tokenIds: Int32Array.of(0, 1, 2),
  tokenEnds: Int32Array.of(0, 1, 2),
  positionOffsets: Int32Array.of(0, 2),
  positions: Int32Array.of(0, 1),
  entryOffsets: Int32Array.of(0, 2, 4),
  topIds: Int32Array.of(1, 2, 1, 2),
  topLogProbs: new Float32Array(4).fill(Math.log(0.45)),
  tailMass: Float32Array.of(0.1, 0.1),
};

const SHARD_HEADER = {
  run: "toy",
  round: 1,
  party: "ward",
  shard: 3,
  modelHash: HASH,
  tokenizerHash: HASH,
  datasetHash: HASH,
  vocabularySize: 4,
  topK: 2,
  topP: 1,
};

describe("fedmkt inspect", () => {
  let folder: string;
  beforeEach(() => {
    folder = makeToyFolder();
  });
  afterEach(() => remove(folder));
  const { inspect, read } = inspectIn(() => folder);

  it("shows a knowledge shard's positions, K, mass kept, tail, loss and first tokens", async () => {
    const bytes = writeKnowledgeShard(KNOWLEDGE, SHARD_HEADER);
    const { data } = await inspect(bytes);
    expect(data.kind).toBe("knowledge shard");
    expect(data.facts).toMatchObject({
      party: "ward",
      shard: 3,
      samples: 1,
      "answer positions": 2,
      "K (most entries kept a position)": 2,
      encoding: "plain",
      size: bytes.length,
      "bytes a position": bytes.length / 2,
      entries: 4,
      "entries a position": { mean: 2, least: 2, most: 2 },
      "answer tokens kept": { count: 2, share: 1 },
      "answer tokens likeliest": { count: 1, share: 0.5 },
    });
    const { facts } = data;
    const tail = KNOWLEDGE.tailMass[0];
    expect(facts["mass kept"].mean).toBeCloseTo(1 - tail, 7);
    expect(facts["tail (mass cut off)"].quantiles).toEqual({ "0.05": tail, "0.5": tail, "0.95": tail });
    expect(facts["entropy, bits (tail as one token)"].mean).toBeCloseTo(
      -0.9 * Math.log2(0.45) - 0.1 * Math.log2(0.1),
      6,
    );
    expect(facts["bits/byte"]).toBe((-2 * Math.log(0.45)) / 2 / Math.LN2);
    expect(data.lines.slice(-2)).toEqual([
      "first sample's tokens: 0 1 2",
      "first position's likeliest: 1 (45.0 %), 2 (45.0 %)",
    ]);
    const text = await read(bytes);
    expect(text).toContain("it: knowledge shard\n  run ");
    expect(text).toMatch(/bits\/byte +1\.152\n/);
    expect(text).toMatch(/mass kept +always 90\.0 %\n/);
    expect(text).toContain("ranks of the answer tokens that are kept: 1: 1 (50.0 %), 2: 1 (50.0 %)\n");
    expect(text).toContain("answer tokens cut off: 0 (0.0 %)\n");
    expect(text).toContain("    1: 45.0 %, 2 (100.0 %)\n    2: 45.0 %, 2 (100.0 %)\n");
  });

  it("shows a packed shard as a plain one, with its own bytes", async () => {
    const bytes = writeKnowledgeShard(KNOWLEDGE, SHARD_HEADER, "packed");
    const { data } = await inspect(bytes);
    expect(data.kind).toBe("knowledge shard");
    expect(data.facts).toMatchObject({
      encoding: "packed",
      "bytes a position": bytes.length / 2,
      "answer tokens kept": { count: 2, share: 1 },
    });
    expect(data.facts["mass kept"].mean).toBeCloseTo(0.9, 1);
    expect(await read(bytes, "--sample", "0")).toMatch(
      / {4}1: 1 → 2 \(rank 2\) \| 1 \(4\d\.\d %\), 2 \(4\d\.\d %\) \| tail/,
    );
  });

  it("shows one sample of a shard, position by position, with the tokens' texts where a tokenizer is named", async () => {
    const tokenizer = new TextEncoder().encode(JSON.stringify(characterTokenizerJson("ab")));
    write(folder, "their/tokenizer.json", tokenizer);
    const { tokens } = openTokenizer(tokenizer, new TextEncoder().encode("{}"), "it").vocabulary;
    const [a, b] = ["a", "b"].map((text) =>
      tokens.findIndex((bytes) => bytes && new TextDecoder().decode(bytes) === text),
    );
    const ids = (list: Int32Array) => list.map((id) => [0, a, b][id]);
    const knowledge = { ...KNOWLEDGE, tokenIds: ids(KNOWLEDGE.tokenIds), topIds: ids(KNOWLEDGE.topIds) };
    const header = { ...SHARD_HEADER, vocabularySize: tokens.length, tokenizerHash: sha256(tokenizer) };
    const bytes = writeKnowledgeShard(knowledge, header);
    const text = await read(bytes, "--sample", "0", "--tokenizer", "their/tokenizer.json");
    expect(text).toContain("sample 0: 3 tokens, 2 positions, 2 answer bytes, 1.152 bits/byte\n");
    expect(text).toContain(`  1: ${a} "a" → ${b} "b" (rank 2) | ${a} "a" (45.0 %), ${b} "b" (45.0 %) | tail 10.0 %`);
    expect(await read(bytes, "--sample", "0", "--tokenizer", "their", "--limit", "1")).toContain(
      "  and 1 more: --limit 2 shows them all",
    );
    const { data } = await inspect(bytes, "--sample", "0", "--position", "1", "--tokenizer", "their");
    expect(data.details.positions).toEqual([
      {
        position: 1,
        ofAnswer: true,
        token: { id: a, text: "a" },
        next: { id: b, text: "b", rank: 2 },
        entries: [a, b].map((id, entry) => ({ id, text: ["a", "b"][entry], logProbability: KNOWLEDGE.topLogProbs[0] })),
        tail: KNOWLEDGE.tailMass[0],
      },
    ]);
    expect(await read(bytes, "--sample", "0")).toContain(`  1: ${a} → ${b} (rank 2)`);
  });

  it.each<[string, string[], string]>([
    ["a sample that is not there", ["--sample", "1"], "--sample: expected one from 0 to 0, got 1"],
    [
      "a position that is not there",
      ["--sample", "0", "--position", "7"],
      "--position: expected one of sample 0's, from 0 to 1, got 7",
    ],
    ["a position of no sample", ["--position", "0"], "--position: expected --sample with it, got none"],
    ["no number", ["--sample", "first"], "--sample: expected a whole number from 0"],
    ["no items", ["--limit", "0"], "--limit: expected a whole number from 1 to 10000"],
  ])("refuses %s", async (_, options, message) => {
    const { exitCode, error } = await inspect(writeKnowledgeShard(KNOWLEDGE, SHARD_HEADER), ...options);
    expect([exitCode, error.code, error.message]).toEqual([2, "BAD_ARGUMENT", expect.stringContaining(message)]);
  });

  it("refuses a sample of what has none, and a tokenizer that is not there", async () => {
    const { error } = await inspect(encodeJson(SUMMARY) as Uint8Array, "--sample", "0");
    expect(error).toMatchObject({ code: "BAD_ARGUMENT", message: expect.stringContaining("run summary") });
    const missing = await inspect(writeKnowledgeShard(KNOWLEDGE, SHARD_HEADER), "--tokenizer", "nowhere");
    expect(missing.error).toMatchObject({ code: "FILE_MISSING", message: expect.stringContaining("nowhere") });
  });

  it("says which of the tokenizers that were named no token is of", async () => {
    write(folder, "their/tokenizer.json", JSON.stringify(characterTokenizerJson("ab")));
    write(folder, "other/tokenizer.json", JSON.stringify(characterTokenizerJson("xyz")));
    const hash = sha256(new TextEncoder().encode(JSON.stringify(characterTokenizerJson("ab"))));
    const bytes = writeKnowledgeShard(KNOWLEDGE, { ...SHARD_HEADER, tokenizerHash: hash });
    const { data } = await inspect(bytes, "--tokenizer", "their,other");
    expect(data.unusedTokenizers).toEqual([{ place: "other", tokenizer: expect.stringMatching(/^[0-9a-f]{12}$/) }]);
    const text = await read(bytes, "--tokenizer", "other");
    expect(text).toContain(`no token that is shown is of the tokenizer other (${data.unusedTokenizers[0].tokenizer})`);
    expect((await inspect(bytes, "--tokenizer", "their")).data.unusedTokenizers).toEqual([]);
  });

  it("says of a shard by what entropy it was cut", async () => {
    const shard = writeKnowledgeShard(KNOWLEDGE, { ...SHARD_HEADER, topPerplexity: 3 });
    expect((await inspect(shard)).data.facts).toMatchObject({ "most entries by perplexity": "3 · exp(entropy)" });
  });

  it("is bad input for a shard that does not hold what it says", async () => {
    const tensors = { x: { dtype: "F32" as const, shape: [1], data: Float32Array.of(Number.NaN) } };
    const { exitCode, error } = await inspect(writeSafetensors(tensors, { format: "fedmkt.knowledge", version: "1" }));
    expect([exitCode, error.code]).toEqual([2, "SHARD_INVALID"]);
  });

  it("leads from a folder of shards to a shard", async () => {
    write(folder, "knowledge/shard-00000.safetensors", "");
    const { exitCode, stderr } = await callCli(folder, ["inspect", "knowledge"]);
    expect([exitCode, stderr]).toEqual([
      2,
      expect.stringContaining("look at its shards, as in fedmkt inspect knowledge/shard-00000.safetensors"),
    ]);
  });
});
