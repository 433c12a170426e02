import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { openTokenizer } from "../../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import { encodeJson } from "../../../shared/src/contracts/json-document.ts";
import type { AlignedKnowledge, Knowledge, VocabularyMap } from "../../../shared/src/core/knowledge.ts";
import { writeAlignedShard } from "../../../shared/src/formats/aligned-shard.ts";
import { writeKnowledgeShard } from "../../../shared/src/formats/knowledge-shard.ts";
import { writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { sha256 } from "../../../shared/src/formats/sha256.ts";
import { writeVocabularyMap } from "../../../shared/src/formats/vocabulary-map.ts";
import { callCli, makeToyFolder, remove, write } from "../../support/cli.ts";
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

const ALIGNED_HEADER = {
  run: "toy",
  round: 1,
  source: "server",
  target: "ward",
  shard: 0,
  learn: "group" as const,
  sourceTokenizerHash: HASH,
  targetTokenizerHash: HASH,
  datasetHash: HASH,
};

const ALIGNED: AlignedKnowledge = {
  sampleIds: KNOWLEDGE.sampleIds,
  positionOffsets: Int32Array.of(0, 1),
  positions: Int32Array.of(1),
  entryOffsets: Int32Array.of(0, 2),
  entries: Int32Array.of(3, 5),
  probabilities: Float32Array.of(0.5, 0.25),
  tail: Float32Array.of(0.25),
  statistics: { targetPositions: 4, alignedPositions: 1, keptMass: 0.75, exactMass: 0.5, unmappedMass: 0.05 },
};

const MAP: VocabularyMap = {
  rule: "product",
  targetOfSource: Int32Array.of(0, 1, 1, -1),
  kind: Uint8Array.of(2, 1, 4, 0),
  distance: Int32Array.of(0, 0, 2, 0),
  groupOfTarget: Int32Array.of(0, 1, 2),
  groups: 3,
  groupOfSource: Int32Array.of(0, 1, 1, -1),
};

describe("fedmkt inspect", () => {
  let folder: string;
  beforeEach(() => {
    folder = makeToyFolder();
  });
  afterEach(() => remove(folder));

  async function inspect(content: string | Uint8Array, ...options: string[]) {
    write(folder, "it", content);
    const { exitCode, stdout } = await callCli(folder, ["inspect", "it", ...options, "--json"]);
    const { data, error } = JSON.parse(stdout);
    return { exitCode, data, error };
  }

  /** As a person sees it. */
  async function read(content: string | Uint8Array, ...options: string[]): Promise<string> {
    write(folder, "it", content);
    return (await callCli(folder, ["inspect", "it", ...options])).stdout;
  }

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

  it("shows what an aligned shard kept", async () => {
    const bytes = writeAlignedShard(ALIGNED, ALIGNED_HEADER);
    const { data } = await inspect(bytes);
    expect(data.kind).toBe("aligned shard");
    expect(data.facts).toMatchObject({
      from: "server",
      to: "ward",
      "of them aligned": { count: 1, share: 0.25 },
      "of them taught": { count: 1, share: 0.25 },
      "entries a position": { mean: 2 },
      "mass kept": 0.75,
      "mass on equal tokens": 0.5,
      "mass mapped nowhere": 0.05,
    });
    expect(data.details.entriesWithMostMass).toEqual([
      { id: 3, text: null, meanMass: 0.5 },
      { id: 5, text: null, meanMass: 0.25 },
    ]);
    const text = await read(bytes);
    expect(text).toMatch(/of them aligned +1 \(25\.0 %\)\n/);
    expect(text).toContain("entries with most mass:\n    3: 50.0 %\n    5: 25.0 %\n");
    const rising = writeAlignedShard({ ...ALIGNED, probabilities: Float32Array.of(0.25, 0.5) }, ALIGNED_HEADER);
    expect(await read(rising)).toContain("first position's likeliest: 5 (50.0 %), 3 (25.0 %)");
    expect(await read(bytes, "--sample", "0")).toContain(
      "sample 0: taught at 1 position\n    1: 3 (50.0 %), 5 (25.0 %) | tail 25.0 %",
    );
  });

  it("counts how a vocabulary map's tokens were mapped", async () => {
    const bytes = writeVocabularyMap(MAP, { sourceTokenizerHash: HASH, targetTokenizerHash: HASH });
    const { data } = await inspect(bytes);
    expect(data.facts).toMatchObject({
      rule: "product",
      "source vocabulary": 4,
      "mapped: equal": { count: 1, share: 0.25 },
      "mapped: nowhere": { count: 1, share: 0.25 },
      "edit distance": { mean: 2, least: 2, most: 2 },
      "target tokens in a group": { mean: 1 },
    });
    expect(data.details).toMatchObject({
      farthest: [{ source: 2, target: 1, distance: 2 }],
      mostMappedTo: [{ target: 1, sources: 2 }],
      largestGroups: [],
    });
    const text = await read(bytes);
    expect(text).toMatch(/mapped: equal +1 \(25\.0 %\)\n/);
    expect(text).toContain("edit distances: 2: 1 (100.0 %)\n");
    expect(text).toContain("farthest:\n    2 → 1 (2 edits)\n");
    expect(text).toContain("target tokens that most source tokens map to:\n    1 ← 2: 1, 2\n");
    expect(text).toContain("some tokens: 0 → 0 (role), 1 → 1 (equal), 2 → 1 (edit), 3 → nowhere (nowhere)");
    expect(await read(bytes, "--sample", "2")).toContain("2 → 1 (edit, 2 edits)\n  its mass goes to group 1: 1");
    expect(await read(bytes, "--sample", "3")).toContain("3 → nowhere (nowhere, 0 edits)\n  its mass goes to no group");
  });

  it("counts which tokens an alignment of texts pairs", async () => {
    const texts = [
      { sourceTokens: ["a", "b", " c"], targetTokens: ["ab", " c"], sourcesOfTarget: [[0, 1], [2]] },
      { sourceTokens: ["a"], targetTokens: ["a", "b"], sourcesOfTarget: [[0], []] },
    ];
    const file = texts.map((text) => `${JSON.stringify(text)}\n`).join("");
    const { data } = await inspect(file);
    expect(data).toMatchObject({
      kind: "alignment of texts",
      facts: {
        texts: 2,
        "source tokens": 4,
        "target tokens": 4,
        "target tokens aligned": { count: 3, share: 0.75 },
        "of them one to one": { count: 2 },
        "of them with an equal token": { count: 2 },
        "source tokens used": { count: 4, share: 1 },
      },
      details: { sourcesOfAlignedTarget: [{ count: 2 }, { count: 1 }] },
    });
    expect(await read(file, "--sample", "1")).toContain(
      'text 1: 2 target tokens, 1 source tokens\n    0 "a" ← 0 "a"\n    1 "b" ← nothing',
    );
    expect((await inspect(file, "--sample", "2")).error.message).toContain("expected one from 0 to 1, got 2");
  });

  it.each([
    ["a list that is missing", { sourceTokens: ["a"], targetTokens: ["a"] }, "sourcesOfTarget: expected a list"],
    ["a list too short", { sourceTokens: ["a"], targetTokens: ["a"], sourcesOfTarget: [] }, "expected sources of 1"],
    ["a token that is none", { sourceTokens: [null], targetTokens: [], sourcesOfTarget: [] }, "expected tokens as"],
    ["no list", { sourceTokens: ["a"], targetTokens: ["a"], sourcesOfTarget: [0] }, "got a number"],
    ["a source beyond", { sourceTokens: ["a"], targetTokens: ["a"], sourcesOfTarget: [[1]] }, "below 1, got 1"],
    ["sources that fall", { sourceTokens: ["a", "b"], targetTokens: ["a"], sourcesOfTarget: [[1, 0]] }, "got 0"],
  ])("refuses an alignment with %s", async (_, text, message) => {
    const { exitCode, error } = await inspect(JSON.stringify(text));
    expect([exitCode, error.code]).toEqual([2, "ALIGNMENT_INVALID"]);
    expect(error.message).toContain("it, line 1: ");
    expect(error.message).toContain(message);
  });

  it("lists the tensors of any other safetensors file", async () => {
    const { data } = await inspect(
      writeSafetensors({ a: { dtype: "F32", shape: [2, 3], data: new Float32Array(6) } }, { format: "pt" }),
    );
    expect(data).toMatchObject({ kind: "safetensors", facts: { format: "pt", elements: 6 }, lines: ["a: F32 [2, 3]"] });
  });

  it("knows a run's documents", async () => {
    expect((await inspect(encodeJson(SUMMARY))).data).toMatchObject({ kind: "run summary", facts: { run: "toy" } });
    expect(
      (await inspect('{"run":"toy","status":"FAILED","execution":"e","error":"E","cause":"why"}')).data,
    ).toMatchObject({
      kind: "run status",
      lines: ["why"],
    });
    const outputs = [{ name: "scores.json", bytes: 2048, sha256: HASH }];
    const identity = { version: 1, run: "toy", round: 1, stage: "evaluate", party: "ward" };
    expect((await inspect(encodeJson({ ...identity, outputs, metrics: { loss: 2.5 }, facts: {} }))).data).toMatchObject(
      {
        kind: "manifest",
        facts: { stage: "evaluate", loss: 2.5 },
        lines: [`scores.json: 2.0 KiB, SHA-256 ${HASH}`],
      },
    );
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

  it("refuses a position of a map and of a text's tokens that are not there, and names one at which nothing is taught", async () => {
    const map = writeVocabularyMap(MAP, { sourceTokenizerHash: HASH, targetTokenizerHash: HASH });
    const at = ["--sample", "0", "--position", "1"];
    expect((await inspect(map, ...at)).error).toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining("--position: it is a map"),
    });
    const text = '{"sourceTokens":["a"],"targetTokens":["a"],"sourcesOfTarget":[[0]]}\n';
    expect((await inspect(text, ...at)).error).toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining("--position: expected one from 0 to 0, got 1"),
    });
    expect(await read(writeAlignedShard(ALIGNED, ALIGNED_HEADER), "--sample", "0", "--position", "7")).toContain(
      "    7: nothing is taught\n",
    );
  });

  it("says of JSON Lines that are no alignment what it expected", async () => {
    write(folder, "texts.jsonl", '{"text":"a"}\n{"text":"b"}\n');
    expect(await callCli(folder, ["inspect", "texts.jsonl"])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("texts.jsonl: expected the JSON Lines that fedmkt align writes"),
    });
  });

  it.each([
    ["per-byte", "bits/byte"],
    ["per-token", "nats/token"],
  ] as const)("says in which unit the gaps of a selection by %s are", async (lossMetric, unit) => {
    const count = SUMMARY.selections[0];
    const { round, target } = count;
    const choice = { sources: Object.keys(count.bySource), rule: "strict", lossMetric, winners: [], gaps: [] };
    const bytes = encodeJson({ version: 2, run: "toy", round, target, ...choice, shares: null, count, transfers: [] });
    expect((await inspect(bytes)).data.facts["mean gap"]).toBe(count.meanGap);
    expect(await read(bytes)).toMatch(new RegExp(`mean gap +[0-9.−-]+ ${unit}\\n`));
  });

  it("says of a selection by token by what sources are ahead, and of bounds how many samples they cost", async () => {
    const count = { ...SUMMARY.selections[0], meanLossGap: -0.25, outOfBounds: { near: 5, far: 2 } };
    const { round, target } = count;
    const of = (rule: string) =>
      encodeJson({
        ...{
          version: 2,
          run: "toy",
          round,
          target,
          sources: Object.keys(count.bySource),
          rule,
          lossMetric: "per-byte",
        },
        ...{ winners: [], gaps: [], shares: null, count, transfers: [] },
      });
    expect((await inspect(of("token"))).data.facts).toMatchObject({
      "learned from nobody": count.none,
      "mean advantage": count.meanGap,
      "mean gap of losses": -0.25,
      "better by at most minGap": 5,
      "better by more than maxGap": 2,
    });
    expect(Object.keys((await inspect(of("confidence"))).data.facts)).toContain("learned from nobody");
    expect(Object.keys((await inspect(of("greater"))).data.facts)).toContain("won by the target itself");
  });

  it("says of a shard by what entropy it was cut", async () => {
    const shard = writeKnowledgeShard(KNOWLEDGE, { ...SHARD_HEADER, topPerplexity: 3 });
    expect((await inspect(shard)).data.facts).toMatchObject({ "most entries by perplexity": "3 · exp(entropy)" });
  });

  it("sends a spec to validate", async () => {
    expect(await callCli(folder, ["inspect", "run.yaml"])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("run.yaml: is a spec; fedmkt validate run.yaml checks it"),
    });
  });

  it("rounds numbers for people and keeps them whole for programs", async () => {
    const identity = { version: 1, run: "toy", round: 1, stage: "evaluate", party: "ward" };
    const bytes = encodeJson({ ...identity, outputs: [], metrics: { loss: 2.123456 }, facts: {} });
    expect((await inspect(bytes)).data.facts.loss).toBe(2.123456);
    expect((await callCli(folder, ["inspect", "it"])).stdout).toMatch(/loss +2\.123\n/);
  });

  it.each([
    ["a missing file", null, "FILE_MISSING"],
    ["JSON of another form", '{"a":1}', "FILE_UNKNOWN"],
    ["broken JSON", '{"a":', "FILE_UNKNOWN"],
    ["an empty file", "", "FILE_UNKNOWN"],
    ["text", "some text that is longer than eight bytes", "SAFETENSORS_INVALID"],
  ])("is bad input for %s", async (_, content, code) => {
    if (content === null) remove(`${folder}/it`);
    else write(folder, "it", content);
    const { exitCode, stdout } = await callCli(folder, ["inspect", "it", "--json"]);
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout).error).toMatchObject({ name: "InvalidInputError", code });
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
