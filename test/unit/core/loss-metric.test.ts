import { describe, expect, it } from "@jest/globals";
import { roundToBfloat16 } from "../../../shared/src/core/numeric/bfloat16.ts";
import { measureLosses } from "../../../shared/src/core/selection/loss-metric.ts";

/** The same answer of 6 bytes in two vocabularies: as 2 tokens after a prompt of 3, and as 6 characters after one of 20. */
const coarse = { nats: [6 * Math.LN2], answerBytes: [6], answerTokens: [2], tokens: [5] };
const fine = { nats: [6 * Math.LN2], answerBytes: [6], answerTokens: [6], tokens: [26] };

describe("A loss", () => {
  it("per byte is the same in every vocabulary", () => {
    expect(measureLosses("per-byte", coarse)[0]).toBeCloseTo(1, 12);
    expect(measureLosses("per-byte", fine)[0]).toBeCloseTo(1, 12);
  });

  it("knownDivergence (the paper's loss per token): is less for who spells the same answer in more tokens", () => {
    expect(measureLosses("per-token", coarse)[0]).toBeCloseTo(3 * Math.LN2, 12);
    expect(measureLosses("per-token", fine)[0]).toBeCloseTo(Math.LN2, 12);
  });

  it("knownDivergence (FATE-LLM's diluted loss): is less the longer the prompt", () => {
    expect(measureLosses("diluted", coarse)[0]).toBeCloseTo((6 * Math.LN2) / 4, 12);
    expect(measureLosses("diluted", fine)[0]).toBeCloseTo((6 * Math.LN2) / 25, 12);
  });

  it("is not measured by nothing", () => {
    expect(() => measureLosses("diluted", { ...coarse, tokens: [1] })).toThrow(
      expect.objectContaining({
        name: "InvariantError",
        code: "EMPTY_ANSWER",
        message: "measureLosses: expected at least 1 token to divide by, got 0",
      }),
    );
  });
});

describe("Rounding to bfloat16", () => {
  it.each([
    [0, 0],
    [1, 1],
    [-1.5, -1.5],
    [1 + 2 ** -8, 1],
    [1 + 3 * 2 ** -8, 1 + 2 ** -6],
    [1 + 2 ** -8 + 2 ** -16, 1 + 2 ** -7],
    [2.005, 2],
    [3.4e38, Number.POSITIVE_INFINITY],
    [1e300, Number.POSITIVE_INFINITY],
    [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
  ])("gives of %d %d", (value, rounded) => {
    expect(roundToBfloat16(value)).toBe(rounded);
  });

  it("leaves what is no number none", () => {
    expect(roundToBfloat16(Number.NaN)).toBeNaN();
    // all bits but the sign: rounding up would carry into it
    expect(roundToBfloat16(new Float32Array(Uint32Array.of(0x7fffffff).buffer)[0])).toBeNaN();
  });
});
