import { describe, expect, it } from "@jest/globals";
import { multipleChoiceAccuracy } from "../../../shared/src/core/evaluation/multiple-choice.ts";

const question = (correct: number, ...answers: string[]) => ({ prompt: "q", answers, correct, line: 1 });

describe("the accuracy on multiple-choice questions", () => {
  it("counts a question as right where the right answer has the least loss", () => {
    const questions = [question(0, " a", " b"), question(1, " a", " b", " c")];
    const nats = Float64Array.of(1, 2, 3, 2.5, 2);
    expect(multipleChoiceAccuracy(questions, nats, [2, 2, 2, 2, 2])).toEqual({ accuracy: 0.5, accuracyByLength: 0.5 });
  });

  it("does not hold length against an answer where it goes by loss a byte", () => {
    const questions = [question(1, " no", " certainly not today")];
    expect(multipleChoiceAccuracy(questions, Float64Array.of(3, 6), [3, 20])).toEqual({
      accuracy: 0,
      accuracyByLength: 1,
    });
  });

  it("takes the first of equally likely answers", () => {
    expect(multipleChoiceAccuracy([question(0, " a", " b")], Float64Array.of(1, 1), [2, 2]).accuracy).toBe(1);
    expect(multipleChoiceAccuracy([question(1, " a", " b")], Float64Array.of(1, 1), [2, 2]).accuracy).toBe(0);
  });

  it("is 0 where nothing was asked", () => {
    expect(multipleChoiceAccuracy([], new Float64Array(), [])).toEqual({ accuracy: 0, accuracyByLength: 0 });
  });
});
