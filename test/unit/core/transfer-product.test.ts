import { describe, expect, it } from "@jest/globals";
import { type AlignmentSettings, alignKnowledge } from "../../../shared/src/core/alignment/align-knowledge.ts";
import { MAPPED } from "../../../shared/src/core/knowledge.ts";
import {
  coarse,
  fine,
  mapOf,
  plain,
  type Says,
  shard,
  type Token,
  toCoarse,
  told,
} from "../../support/said-knowledge.ts";

const { equal, edit } = MAPPED;

const unlike = mapOf(7, ...coarse.strings.map((): [number, number] => [6, edit]));
const vocabularies = { source: coarse, target: fine };
const says: Says = [[1, 1]];
/** Coarse and fine tokens of the same bytes, none spelt alike or mapped on the other. */
const from = shard([
  { id: 0, end: 1, says },
  { id: 4, end: 2, says },
  { id: 4, end: 3 },
]);
const to = shard([
  { id: 0, end: 1, says },
  { id: 4, end: 2, says },
  { id: 1, end: 3 },
]);

describe("the product's transfer", () => {
  const start = [0, { 1: 0.5, 3: 0.25 }, 0.25];
  const afterA = [1, { 2: 0.6, 3: 0.3 }, 0.1];
  const end = [2, { 0: 0.7, 3: 0.2 }, 0.1];

  it.each<[AlignmentSettings["alignment"], unknown[]]>([
    ["byte-offset", [start, afterA, end]],
    // "a" with "a" and "un": the block's last token has read more
    ["dtw", [start, end]],
    // the opening tokens are spelt differently
    ["greedy-dp", [afterA, end]],
  ])("takes the pairs of blocks that have read the same bytes: %s", (alignment, learned) => {
    expect(told(toCoarse({ alignment }))).toEqual({ offsets: [0, learned.length], learned });
  });

  it("counts what was kept, what of it to the same bytes or role, and what went nowhere", () => {
    const { statistics } = toCoarse({});
    expect(statistics).toEqual({
      targetPositions: 3,
      alignedPositions: 3,
      keptMass: expect.closeTo(0.75 + 0.9 + 0.9, 6),
      exactMass: expect.closeTo(0.5 + 0.25 + 0.3 + 0.7 + 0.2, 6),
      unmappedMass: expect.closeTo(0.05, 6),
    });
  });

  it("sums the mass of groups, by any alignment", () => {
    expect(told(toCoarse({ alignment: "dtw", learn: "group" })).learned).toEqual([
      [0, { 0: 0.75 }, 0.25],
      [2, { 0: 0.95 }, 0.05],
    ]);
  });

  it("keeps samples apart", () => {
    const token = (id: number, end: number, says?: Says): Token => ({ id, end, says });
    const two = shard(
      [token(0, 0, [[1, 1]]), token(1, 1, [[3, 1]]), token(3, 3)],
      [token(0, 0, [[3, 1]]), token(3, 2)],
    );
    for (const alignment of ["byte-offset", "dtw", "greedy-dp"] as const) {
      const same = mapOf(5, ...[0, 1, 2, 3, 4].map((id): [number, number] => [id, equal]));
      const settings = { ...plain, alignment };
      const aligned = alignKnowledge(two, two, same, { source: coarse, target: coarse }, settings);
      expect(told(aligned)).toEqual({
        offsets: [0, 2, 3],
        learned: [
          [0, { 1: 1 }, 0],
          [1, { 3: 1 }, 0],
          [0, { 3: 1 }, 0],
        ],
      });
    }
  });

  it("is nothing where greedy-dp finds no span", () => {
    const settings = { ...plain, alignment: "greedy-dp" } as const;
    expect(told(alignKnowledge(from, to, unlike, vocabularies, settings))).toEqual({ offsets: [0, 0], learned: [] });
  });
});
