import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { AlignedKnowledge, VocabularyMap } from "../../../shared/src/core/knowledge.ts";
import { writeAlignedShard } from "../../../shared/src/formats/aligned-shard.ts";
import { writeVocabularyMap } from "../../../shared/src/formats/vocabulary-map.ts";
import { callCli, makeToyFolder, remove, write } from "../../support/cli.ts";
import { inspectIn } from "../../support/inspect-file.ts";

const HASH = "cd".repeat(32);

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
  sampleIds: new Uint8Array(16).fill(7),
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
  const { inspect, read } = inspectIn(() => folder);

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
});
