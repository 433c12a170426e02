import { describe, expect, it } from "@jest/globals";
import { softmax } from "../../../shared/src/core/distillation/softmax.ts";
import {
  sparseDistillationLoss,
  TAIL_EPSILON,
} from "../../../shared/src/core/distillation/sparse-distillation-loss.ts";

const close = (numbers: readonly number[]) => numbers.map((number) => expect.closeTo(number, 12));
/** Logits of these probabilities. */
const logitsOf = (...probabilities: number[]) => probabilities.map((probability) => Math.log(probability));

describe("the distillation loss of one position", () => {
  it("is each entry's mass times its surprise, and the tail's of all else", () => {
    const target = { entries: [2, 0], probabilities: [0.5, 0.25], tail: 0.25 };
    const { loss, gradient } = sparseDistillationLoss(logitsOf(0.5, 0.2, 0.125, 0.175), target, 1, null);
    expect(loss).toBeCloseTo(-(0.25 * Math.log(0.5) + 0.5 * Math.log(0.125) + 0.25 * Math.log(0.375)), 12);
    // the student's mass less the target's, the tail's spread as the student spreads it
    const spread = 0.25 / 0.375;
    expect([...gradient]).toEqual(close([0.5 - 0.25, 0.2 * (1 - spread), 0.125 - 0.5, 0.175 * (1 - spread)]));
  });

  it("sums a group's tokens, and knows nothing of groups that no entry names", () => {
    const target = { entries: [1], probabilities: [0.9], tail: 0.1 };
    const { loss, gradient } = sparseDistillationLoss(logitsOf(0.4, 0.2, 0.1, 0.3), target, 1, [1, 0, 1, 2]);
    expect(loss).toBeCloseTo(-(0.9 * Math.log(0.5) + 0.1 * Math.log(0.5)), 12);
    const [inside, outside] = [1 - 0.9 / 0.5, 1 - 0.1 / 0.5];
    expect([...gradient]).toEqual(close([0.4 * inside, 0.2 * outside, 0.1 * inside, 0.3 * outside]));
  });

  it("says nothing of an entry without mass, though the student has ruled it out", () => {
    const target = { entries: [0, 1], probabilities: [1, 0], tail: 0 };
    const { loss, gradient } = sparseDistillationLoss([0, -1000, 0], target, 1, null);
    expect(loss).toBeCloseTo(Math.LN2, 12);
    expect([...gradient]).toEqual(close([0.5 - 1, 0, 0.5]));
  });

  it("weighs an entry without mass like all else that is not the tail", () => {
    const target = { entries: [0, 1], probabilities: [0.5, 0], tail: 0.5 };
    const { loss, gradient } = sparseDistillationLoss(logitsOf(0.5, 0.25, 0.25), target, 1, null);
    expect(loss).toBeCloseTo(-(0.5 * Math.log(0.5) + 0.5 * Math.log(0.25)), 12);
    expect([...gradient]).toEqual(close([0.5 - 0.5, 0.25, 0.25 - 0.5]));
  });

  it("takes the rest for no less than ε, below which the tail neither costs more nor pushes", () => {
    const target = { entries: [0], probabilities: [0.75], tail: 0.25 };
    const at = (rest: number) => sparseDistillationLoss(logitsOf(1 - rest, rest), target, 1, null);
    const { loss, gradient } = at(TAIL_EPSILON / 8);
    expect(loss).toBeCloseTo(-0.25 * Math.log(TAIL_EPSILON), 6);
    expect([...gradient]).toEqual(close([-0.75 * (TAIL_EPSILON / 8), 0.75 * (TAIL_EPSILON / 8)]));
    expect(at(TAIL_EPSILON * 8).gradient[1]).toBeCloseTo(-0.25, 4);
  });

  it("divides the logits by the temperature, and so the gradient once", () => {
    const target = { entries: [0], probabilities: [1], tail: 0 };
    const { loss, gradient } = sparseDistillationLoss(logitsOf(0.81, 0.01), target, 2, null);
    expect(loss).toBeCloseTo(-Math.log(0.9), 12);
    expect([...gradient]).toEqual(close([-0.1 / 2, 0.1 / 2]));
  });
});

describe("the softmax", () => {
  it("sums to one, at any temperature and however large the logits", () => {
    expect([...softmax([1000, 1000, 1000 + Math.log(2)])]).toEqual(close([0.25, 0.25, 0.5]));
    expect([...softmax([-1e300, -1e300])]).toEqual([0.5, 0.5]);
    expect([...softmax([0, 2 * Math.log(3)], 2)]).toEqual(close([0.25, 0.75]));
  });
});
