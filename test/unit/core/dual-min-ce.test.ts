import { describe, expect, it } from "@jest/globals";
import { selectKnowledge } from "../../../shared/src/core/selection/dual-min-ce.ts";

const losses = (party: string, ...lossPerByte: number[]) => ({ party, lossPerByte: Float64Array.from(lossPerByte) });

describe("DualMinCE", () => {
  it("picks the best source, and only where it beats the target", () => {
    const chosen = selectKnowledge(Float64Array.of(2, 2, 2, 2), [
      losses("a", 1, 3, 2, 1.5),
      losses("b", 1.5, 1, 4, 1.25),
    ]);
    expect([...chosen.winner]).toEqual([0, 1, -1, 1]);
    expect(chosen).toMatchObject({ countBySource: [1, 2], none: 1, meanGap: (1 + 1 + 0 + 0.75) / 4 });
  });

  it("knownDivergence (FATE-LLM's greater): a sample that the target wins is dropped, it teaches nothing to itself", () => {
    expect([...selectKnowledge(Float64Array.of(1), [losses("a", 2)]).winner]).toEqual([-1]);
  });

  it("does not select a tie with the target, and gives a tie between sources to the first", () => {
    const chosen = selectKnowledge(Float64Array.of(1, 2), [losses("a", 1, 1), losses("b", 1, 1)]);
    expect([...chosen.winner]).toEqual([-1, 0]);
  });

  it("knownDivergence (FATE-LLM's bfloat16 rewards): a difference of a thousandth decides", () => {
    expect([...selectKnowledge(Float64Array.of(2.001), [losses("a", 2)]).winner]).toEqual([0]);
  });

  it("never selects a loss that is not a number", () => {
    expect([...selectKnowledge(Float64Array.of(2), [losses("a", Number.NaN)]).winner]).toEqual([-1]);
  });

  it("counts an empty set as empty", () => {
    expect(selectKnowledge(new Float64Array(0), [losses("a")])).toEqual({
      winner: new Int32Array(0),
      countBySource: [0],
      none: 0,
      meanGap: 0,
    });
  });

  it("refuses losses of other samples", () => {
    expect(() => selectKnowledge(Float64Array.of(1), [losses("harbour", 1, 2)])).toThrow(/harbour/);
  });
});
