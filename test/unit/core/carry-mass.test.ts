import { describe, expect, it } from "@jest/globals";
import { carryMass } from "../../../shared/src/core/alignment/carry-mass.ts";
import { coarseShard, fineShard, fineToCoarse, type Says, shard, told } from "../../support/said-knowledge.ts";

describe("a label", () => {
  it("is learned in full, and counts in no statistic", () => {
    const matched = { offsets: Int32Array.of(0, 1), source: Int32Array.of(-1), target: Int32Array.of(1) };
    const labels = Int32Array.of(3);
    const settings = { learn: "token", temperature: 1 } as const;
    const carried = carryMass(fineShard, coarseShard, { ...matched, labels }, fineToCoarse, settings);
    expect(told(carried).learned).toEqual([[1, { 3: 1 }, 0]]);
    expect(carried.statistics).toEqual({
      ...{ targetPositions: 3, alignedPositions: 0 },
      ...{ keptMass: 0, exactMass: 0, unmappedMass: 0 },
    });
  });
});

describe("mass that is carried", () => {
  const matched = { offsets: Int32Array.of(0, 1), source: Int32Array.of(0), target: Int32Array.of(0) };
  const carry = (says: Says, temperature: number) =>
    carryMass(
      shard([
        { id: 0, end: 0, says },
        { id: 1, end: 1 },
      ]),
      coarseShard,
      matched,
      fineToCoarse,
      {
        learn: "token",
        temperature,
      },
    );
  // 7 is the first id behind the map
  const says: Says = [
    [1, 0.5],
    [4, 0.25],
    [7, 0.125],
  ];

  it("is all of the first position's, and nothing of an id behind the map", () => {
    const carried = carry(says, 1);
    expect(told(carried).learned).toEqual([[0, { 1: 0.5, 3: 0.25 }, 0.25]]);
    expect(carried.statistics.unmappedMass).toBeCloseTo(0.125, 6);
  });

  it("is counted as tempered", () => {
    const total = Math.SQRT1_2 + 0.5 + 2 * Math.sqrt(0.125);
    expect(carry(says, 2).statistics).toMatchObject({
      keptMass: expect.closeTo((Math.SQRT1_2 + 0.5) / total, 6),
      exactMass: expect.closeTo((Math.SQRT1_2 + 0.5) / total, 6),
      unmappedMass: expect.closeTo(Math.sqrt(0.125) / total, 6),
    });
  });

  it("does not vanish at the lowest temperature", () => {
    const halves: Says = [
      [1, 0.5],
      [4, 0.5],
    ];
    expect(told(carry(halves, 0.0005)).learned).toEqual([[0, { 1: 0.5, 3: 0.5 }, 0]]);
  });

  it("leaves no room for what is left out", () => {
    const { positions, entryOffsets, entries, tail } = carry([[7, 0.5]], 1);
    expect([positions.length, entryOffsets.length, entries.length, tail.length]).toEqual([0, 1, 0, 0]);
  });
});
