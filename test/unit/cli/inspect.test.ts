import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { encodeJson } from "../../../shared/src/contracts/json-document.ts";
import type { AlignedKnowledge, Knowledge, VocabularyMap } from "../../../shared/src/core/knowledge.ts";
import { writeAlignedShard } from "../../../shared/src/formats/aligned-shard.ts";
import { writeKnowledgeShard } from "../../../shared/src/formats/knowledge-shard.ts";
import { writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { writeVocabularyMap } from "../../../shared/src/formats/vocabulary-map.ts";
import { callCli, makeToyFolder, remove, write } from "../../support/cli.ts";
import { SUMMARY } from "../../support/summary.ts";

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

  async function inspect(content: string | Uint8Array) {
    write(folder, "it", content);
    const { exitCode, stdout } = await callCli(folder, ["inspect", "it", "--json"]);
    const { data, error } = JSON.parse(stdout);
    return { exitCode, data, error };
  }

  it("shows a knowledge shard's positions, K, mass kept, tail, loss and first tokens", async () => {
    const header = {
      run: "toy",
      round: 1,
      party: "ward",
      shard: 3,
      modelHash: HASH,
      tokenizerHash: HASH,
      datasetHash: HASH,
    };
    const bytes = writeKnowledgeShard(KNOWLEDGE, { ...header, vocabularySize: 4, topK: 2, topP: 1 });
    const { data } = await inspect(bytes);
    expect(data.kind).toBe("knowledge shard");
    expect(data.facts).toMatchObject({
      party: "ward",
      shard: 3,
      samples: 1,
      "answer positions": 2,
      "K (most entries kept a position)": 2,
      "mass kept": "mean 90.0 %, from 90.0 % to 90.0 %",
      "tail (mass cut off)": "mean 10.0 %, from 10.0 % to 10.0 %",
      "bits/byte": "1.152",
    });
    expect(data.lines).toEqual(["first sample's tokens: 0 1 2", "first position's likeliest: 1 (45.0 %), 2 (45.0 %)"]);
    expect((await callCli(folder, ["inspect", "it"])).stdout).toContain("it: knowledge shard\n  run ");
  });

  it("shows what an aligned shard kept", async () => {
    const hashes = { sourceTokenizerHash: HASH, targetTokenizerHash: HASH, datasetHash: HASH };
    const header = {
      run: "toy",
      round: 1,
      source: "server",
      target: "ward",
      shard: 0,
      learn: "group" as const,
      ...hashes,
    };
    const { data } = await inspect(writeAlignedShard(ALIGNED, header));
    expect(data.kind).toBe("aligned shard");
    expect(data.facts).toMatchObject({
      from: "server",
      to: "ward",
      "of them aligned": "1 (25.0 %)",
      "mass kept": "75.0 %",
      "mass on equal tokens": "50.0 %",
      "mass mapped nowhere": "5.0 %",
    });
  });

  it("counts how a vocabulary map's tokens were mapped", async () => {
    const { data } = await inspect(writeVocabularyMap(MAP, { sourceTokenizerHash: HASH, targetTokenizerHash: HASH }));
    expect(data.facts).toMatchObject({
      rule: "product",
      "source vocabulary": 4,
      "mapped: equal": "1 (25.0 %)",
      "mapped: nowhere": "1 (25.0 %)",
      "edit distance": "mean 2.0, from 2.0 to 2.0",
    });
    expect(data.lines[0]).toBe("some tokens: 0 → 0 (role), 1 → 1 (equal), 2 → 1 (edit), 3 → nowhere (nowhere)");
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
    ["an empty file", "", "SAFETENSORS_TRUNCATED"],
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
