import { describe, expect, it } from "@jest/globals";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
import type { AlignedKnowledge } from "../../../shared/src/core/knowledge.ts";
import { readAlignedShard, writeAlignedShard } from "../../../shared/src/formats/aligned-shard.ts";
import { readSafetensors, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { alignedHeader, makeAligned } from "../../support/aligned.ts";

describe("an aligned shard", () => {
  it("comes back as it was written, header, statistics and all", () => {
    const file = writeAlignedShard(makeAligned(), alignedHeader);
    expect(readAlignedShard(file, "shard", alignedHeader)).toEqual({ header: alignedHeader, aligned: makeAligned() });
  });

  it("of another tokenizer, target or way of learning is refused with both named", () => {
    const file = writeAlignedShard(makeAligned(), alignedHeader);
    const read = (expected: object) => () => readAlignedShard(file, "runs/a", expected);
    expect(read({ targetTokenizerHash: "a".repeat(64) })).toThrow(
      new InvalidInputError(
        "ALIGNED_MISMATCH",
        `runs/a: harbour for server, shard-00003: expected targetTokenizerHash ${"a".repeat(64)}, got ${"4".repeat(64)}`,
      ),
    );
    expect(read({ target: "hill" })).toThrow("expected target hill, got server");
    expect(read({ learn: "token" })).toThrow("expected learn token, got group");
  });

  it("with entries beyond what the target has is refused", () => {
    const file = writeAlignedShard(makeAligned(), alignedHeader);
    expect(() => readAlignedShard(file, "a", { entryLimit: 5 })).not.toThrow();
    expect(() => readAlignedShard(file, "a", { entryLimit: 4 })).toThrow(
      "sample 0, position 0: expected entries below 4, got 4",
    );
  });

  it.each<[string, (aligned: AlignedKnowledge) => void, string]>([
    [
      "positions that do not ascend",
      (a) => a.positions.fill(0, 1, 2),
      "sample 0, positions[1]: expected at least 1, got 0",
    ],
    ["a negative position", (a) => a.positions.fill(-1, 2), "sample 1, positions[0]: expected at least 0, got -1"],
    [
      "entries that do not ascend",
      (a) => a.entries.fill(1, 1, 2),
      "sample 0, position 0: expected entries to ascend from 2, got 1",
    ],
    [
      "a negative entry",
      (a) => a.entries.fill(-1, 2),
      "sample 1, position 1: expected entries to ascend from 0, got -1",
    ],
    [
      "a probability that is NaN",
      (a) => a.probabilities.fill(Number.NaN, 2),
      "sample 1, position 1: expected a probability from 0 to 1, got NaN",
    ],
    ["a negative probability", (a) => a.probabilities.fill(-0.1, 0, 1), "expected a probability from 0 to 1"],
    [
      "a tail that is NaN",
      (a) => a.tail.fill(Number.NaN, 1, 2),
      "sample 0, position 3: expected a tail from 0 to 1, got NaN",
    ],
    [
      "sums that are not 1",
      (a) => a.tail.fill(0.5, 2),
      "sample 1, position 1: expected probabilities and tail to sum to 1, got 0.75 + 0.5 = 1.25",
    ],
    ["offsets that end elsewhere", (a) => a.entryOffsets.fill(2, 3), "entryOffsets: expected to end at 3, got 2"],
    ["a sample twice", (a) => a.sampleIds.fill(0), "sample 1: has the id of sample 0"],
    [
      "statistics that are not finite",
      (a) => Object.assign(a.statistics, { keptMass: Number.NaN }),
      "statistics: keptMass: expected a number ≥ 0, got null",
    ],
    [
      "more aligned positions than there are",
      (a) => Object.assign(a.statistics, { alignedPositions: 8 }),
      "expected at most 7 aligned positions, got 8",
    ],
  ])("with %s is refused by sample and position", (_, change, message) => {
    const aligned = makeAligned();
    change(aligned);
    expect(() => writeAlignedShard(aligned, alignedHeader)).toThrow(InvalidInputError);
    expect(() => writeAlignedShard(aligned, alignedHeader)).toThrow(message);
  });

  it("with statistics that are nested without end is refused", () => {
    const { tensors, metadata } = readSafetensors(writeAlignedShard(makeAligned(), alignedHeader), "it");
    const statistics = `{"targetPositions":${"[".repeat(10_000)}${"]".repeat(10_000)}}`;
    const file = writeSafetensors(Object.fromEntries(tensors), { ...metadata, statistics });
    expect(() => readAlignedShard(file, "it", {})).toThrow("statistics: nested deeper than 1");
  });
});
