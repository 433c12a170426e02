import { describe, expect, it } from "@jest/globals";
import { lambdaInRound } from "../../../shared/src/core/distillation/lambda-in-round.ts";

const course = (first: number, last: number | undefined, rounds: number) =>
  Array.from({ length: rounds }, (_, index) => lambdaInRound({ first, last, rounds }, index + 1));

describe("λ over the rounds of a run", () => {
  it("stays where no last one is given", () => {
    expect(course(0.9, undefined, 3)).toEqual([0.9, 0.9, 0.9]);
  });

  it("moves by equal amounts to the last one, down and up", () => {
    for (const [first, last] of [
      [0.9, 0.1],
      [0, 1],
    ]) {
      const values = course(first, last, 5);
      expect(values.map((value) => (value - first) / (last - first))).toEqual(
        [0, 0.25, 0.5, 0.75, 1].map((share) => expect.closeTo(share, 12)),
      );
    }
  });

  it("begins and ends exactly where it was told to, at 0 too", () => {
    for (const [first, last] of [
      [0.9, 0.1],
      [0.1, 0],
      [0.7, 0.3],
    ]) {
      const values = course(first, last, 7);
      expect([values[0], values[6]]).toEqual([first, last]);
    }
  });

  it("is the first one in a run of one round", () => {
    expect(course(0.9, 0.1, 1)).toEqual([0.9]);
  });
});
