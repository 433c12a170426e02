import { describe, expect, it } from "@jest/globals";
import {
  type SelectionRule,
  type SourceLosses,
  selectKnowledge,
} from "../../../shared/src/core/selection/select-knowledge.ts";
import { selectionStatistics } from "../../../shared/src/core/selection/selection-statistics.ts";

const losses = (party: string, ...values: number[]): SourceLosses => ({ party, losses: Float64Array.from(values) });
const winners = (rule: SelectionRule, own: number[], ...sources: SourceLosses[]) => [
  ...selectKnowledge(rule, Float64Array.from(own), sources).winner,
];

describe("DualMinCE", () => {
  it("picks the best source, and only where it beats the target", () => {
    const chosen = selectKnowledge("strict", Float64Array.of(2, 2, 2, 2), [
      losses("a", 1, 3, 2, 1.5),
      losses("b", 1.5, 1, 4, 1.25),
    ]);
    expect([...chosen.winner]).toEqual([0, 1, -1, 1]);
    expect([...chosen.gaps]).toEqual([1, 1, 0, 0.75]);
    expect(chosen.shares).toBeNull();
  });

  it("knownDivergence (FATE-LLM's greater): a sample that the target wins is dropped, it teaches nothing to itself", () => {
    expect(winners("strict", [1], losses("a", 2))).toEqual([-1]);
  });

  it("does not select a tie with the target, and gives a tie between sources to the first", () => {
    expect(winners("strict", [1, 2], losses("a", 1, 1), losses("b", 1, 1))).toEqual([-1, 0]);
  });

  it("knownDivergence (FATE-LLM's bfloat16 rewards): a difference of a thousandth decides", () => {
    expect(winners("strict", [2.001], losses("a", 2))).toEqual([0]);
    expect(winners("greater", [2.001], losses("a", 2))).toEqual([-1]);
  });

  it("refuses losses of other samples", () => {
    expect(() => winners("strict", [1], losses("harbour", 1, 2))).toThrow(
      expect.objectContaining({
        name: "InvariantError",
        code: "SAMPLES_DIFFER",
        message: "selectKnowledge: expected 1 losses of harbour, got 2",
      }),
    );
  });
});

describe("FATE-LLM's rules", () => {
  it("give the sample to the target where it is best, and a tie to the target, then to the first source", () => {
    expect(winners("greater", [1, 1, 3], losses("a", 2, 1, 2), losses("b", 3, 1, 2))).toEqual([-1, -1, 0]);
  });

  it("give every candidate a share, the better the more, the target's first", () => {
    const two = [losses("a", 0.1, 0.1), losses("b", 3, 3)];
    const { shares: both, winner } = selectKnowledge("weighted-mean", Float64Array.of(3, 3), two);
    expect([...winner]).toEqual([0, 0]);
    const shares = both!.subarray(0, 3);
    expect(both!.subarray(3)).toEqual(shares);
    expect(shares[1]).toBeGreaterThan(shares![0]);
    expect(shares[0]).toBe(shares![2]);
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 2);
  });
});

describe("Bounds of the gap", () => {
  const own = Float64Array.of(2, 2, 2, 2, 2, 2);
  const sources = [losses("a", 1.75, 1.5, 1, 0.5, 2, 3), losses("b", 2, 1.5, 1.5, 1.75, 3, 1.875)];
  const bounds = { minGap: 0.25, maxGap: 1 };

  it.each(["strict", "token", "confidence"] as const)(
    "let a source win that is better by more than the one and by at most the other: %s",
    (rule) => {
      // by 0.25: too little; by 0.5, a tie; by 1: the most; by 1.5 too much, and 0.25; by nothing; by 0.125
      expect([...selectKnowledge(rule, own, sources, bounds).winner]).toEqual([-1, 0, 0, -1, -1, -1]);
      expect([...selectKnowledge(rule, own, sources).winner]).toEqual([0, 0, 0, 0, -1, 1]);
    },
  );

  it("give a sample to the best within them, though another is further ahead", () => {
    const two = [losses("far", 0.5), losses("near", 1.5)];
    expect([...selectKnowledge("strict", Float64Array.of(2), two, bounds).winner]).toEqual([1]);
    const { shares } = selectKnowledge("confidence", Float64Array.of(2), two, bounds);
    expect([...shares!]).toEqual([0, 0, 1]);
  });

  it("leave the gaps what they are, and are told where nobody won for them", () => {
    const chosen = selectKnowledge("strict", own, sources, bounds);
    expect([...chosen.gaps]).toEqual([0.25, 0.5, 1, 1.5, 0, 0.125]);
    expect(selectionStatistics(own, sources, chosen, bounds).outOfBounds).toEqual({ near: 2, far: 1 });
    expect(selectionStatistics(own, sources, chosen).outOfBounds).toEqual({ near: 0, far: 0 });
  });
});

describe("Selection by confidence", () => {
  it("gives all that are strictly better a share by the softmax of minus their losses, and the target none", () => {
    const sources = [losses("a", 1, 2, 3), losses("b", 0.5, 1, 2), losses("c", 2, 1, 4)];
    const { winner, shares, gaps } = selectKnowledge("confidence", Float64Array.of(2, 2, 2), sources);
    expect([...winner]).toEqual([1, 1, -1]);
    expect([...gaps]).toEqual([1.5, 1, 0]);
    const [a, b] = [Math.exp(-1), Math.exp(-0.5)];
    const expected = [0, a / (a + b), b / (a + b), 0, 0, 0, 0.5, 0.5, 0, 0, 0, 0];
    expect(shares).toHaveLength(expected.length);
    shares!.forEach((share, place) => {
      expect(share).toBeCloseTo(expected[place], 12);
    });
    expect([shares![0], shares![3], shares![4], shares![5]]).toEqual([0, 0, 0, 0]);
  });

  it("loses no share to losses that are far from 0", () => {
    const { shares } = selectKnowledge("confidence", Float64Array.of(2000), [losses("a", 1000), losses("b", 1001)]);
    expect(shares![1]).toBeCloseTo(1 / (1 + Math.exp(-1)), 12);
  });
});

describe("A loss that is not a number", () => {
  it.each(["strict", "greater", "weighted-mean", "token", "confidence"] as const)("is never selected: %s", (rule) => {
    expect(winners(rule, [2], losses("a", Number.NaN))).toEqual([-1]);
    expect(winners(rule, [2], losses("a", Number.NaN), losses("b", 1))).toEqual([1]);
    expect(winners(rule, [Number.NaN], losses("a", Number.NaN))).toEqual([-1]);
  });

  it("has no share, and leaves no gap", () => {
    const { shares, gaps } = selectKnowledge("weighted-mean", Float64Array.of(2), [losses("a", Number.NaN)]);
    expect([...shares!]).toEqual([1, 0]);
    expect([...gaps]).toEqual([0]);
    expect([...selectKnowledge("strict", Float64Array.of(Number.NaN), [losses("a", 1)]).gaps]).toEqual([0]);
    const confident = [losses("a", Number.NaN), losses("b", 1)];
    expect([...selectKnowledge("confidence", Float64Array.of(2), confident).shares!]).toEqual([0, 0, 1]);
  });

  it("leaves no gap to a target whose loss is infinite either", () => {
    const source = [losses("a", Number.NaN)];
    expect([...selectKnowledge("strict", Float64Array.of(Number.POSITIVE_INFINITY), source).gaps]).toEqual([0]);
  });

  it("is the target's own: a source with a loss is then better under FATE-LLM's rules", () => {
    expect(winners("greater", [Number.NaN], losses("a", 5))).toEqual([0]);
  });
});

describe("What a selection comes to", () => {
  const own = Float64Array.of(2, 2, 2, 2);
  const sources = [losses("a", 1, 3, 1, 1.5), losses("b", 1.5, 3, 2, 1.25), losses("c", 3, 3, 3, 1)];
  const statistics = selectionStatistics(own, sources, selectKnowledge("strict", own, sources));

  it("counts who wins, and what nobody but the target does", () => {
    expect(statistics).toMatchObject({ countBySource: [2, 0, 1], none: 1 });
  });

  it("counts who is better than the target, and who alone is", () => {
    expect(statistics).toMatchObject({ ahead: [3, 2, 1], alone: [1, 0, 0] });
  });

  it("says how often two sources stand on the same side of the target", () => {
    // of three pairs: one in the first sample (a, b ahead), three (all behind), one (b, c behind), three (all ahead)
    expect(statistics.agreement).toBeCloseTo((1 + 3 + 1 + 3) / 12, 12);
    expect(selectionStatistics(own, [sources[0]], selectKnowledge("strict", own, [sources[0]])).agreement).toBe(1);
  });

  it("has the gaps' mean, extremes and quartiles", () => {
    expect(statistics.meanGap).toBeCloseTo((1 - 1 + 1 + 1) / 4, 12);
    expect(statistics.gapQuartiles).toEqual([-1, 0.5, 1, 1, 1]);
  });

  it("finds quartiles between samples, in proportion", () => {
    const known = Float64Array.of(0, 3, 7, 1);
    const source = [losses("a", 1, 1, 1, 1)];
    const told = selectionStatistics(known, source, selectKnowledge("strict", known, source));
    expect(told.gapQuartiles).toEqual([-1, -0.25, 1, 3, 6]);
  });

  it("is nothing for an empty set", () => {
    const none = new Float64Array(0);
    const two = [losses("a"), losses("b")];
    expect(selectionStatistics(none, two, selectKnowledge("strict", none, two)).agreement).toBe(1);
    expect(selectionStatistics(none, [losses("a")], selectKnowledge("strict", none, [losses("a")]))).toEqual({
      countBySource: [0],
      none: 0,
      ahead: [0],
      alone: [0],
      agreement: 1,
      meanGap: 0,
      gapQuartiles: [0, 0, 0, 0, 0],
      outOfBounds: { near: 0, far: 0 },
    });
  });
});
