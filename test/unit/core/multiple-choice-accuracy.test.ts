import { describe, expect, it } from "@jest/globals";
import { multipleChoiceAccuracy, takeChoice } from "../../../shared/src/core/evaluation/multiple-choice.ts";

const question = (correct: number, ...answers: string[]) => ({ prompt: "q", answers, correct, line: 1 });
const choice = (nats: number, bytes = 2) => ({ nats, bytes });

describe("the accuracy on multiple-choice questions", () => {
  it("counts a question as right where the right answer has the least loss", () => {
    const questions = [question(0, " a", " b"), question(1, " a", " b", " c")];
    const scored = [
      [choice(1), choice(2)],
      [choice(3), choice(2.5), choice(2)],
    ];
    expect(multipleChoiceAccuracy(questions, scored)).toEqual({
      accuracy: 0.5,
      accuracyByCharacters: 0.5,
      accuracyByBytes: 0.5,
    });
  });

  it("does not hold length against an answer where it goes by loss a byte or a character", () => {
    const questions = [question(1, " no", " certainly not today")];
    expect(multipleChoiceAccuracy(questions, [[choice(3, 3), choice(6, 20)]])).toEqual({
      accuracy: 0,
      accuracyByCharacters: 1,
      accuracyByBytes: 1,
    });
  });

  it("counts characters of the choice as the data give it, code points, without the space before it", () => {
    // 3.3 / 3 < 2.4 / 2 a character, 3.3 / 4 > 2.4 / 3 a byte: the space makes the difference
    expect(takeChoice(question(0, " ab", " abc"), [choice(2.4, 3), choice(3.3, 4)])).toEqual({
      likeliest: 0,
      byCharacters: 1,
      byBytes: 0,
    });
    // two code points of four bytes each
    expect(takeChoice(question(0, " 🦊🦊", " abc"), [choice(2, 9), choice(2.7, 4)])).toEqual({
      likeliest: 0,
      byCharacters: 1,
      byBytes: 0,
    });
  });

  it("leaves out one white space before a choice alone, and counts those within it", () => {
    // 2.9 / 3 < 2 / 2 a character, and not with one character less
    expect(takeChoice(question(0, " ab", "a b"), [choice(2, 3), choice(2.9, 3)])).toEqual({
      likeliest: 0,
      byCharacters: 1,
      byBytes: 0,
    });
  });

  it("takes the likeliest, wherever it stands", () => {
    expect(takeChoice(question(0, " ab", " c"), [choice(3.3, 3), choice(2, 2)])).toEqual({
      likeliest: 1,
      byCharacters: 0,
      byBytes: 1,
    });
  });

  it("takes the first of equally likely answers", () => {
    expect(multipleChoiceAccuracy([question(0, " a", " b")], [[choice(1), choice(1)]]).accuracy).toBe(1);
    expect(multipleChoiceAccuracy([question(1, " a", " b")], [[choice(1), choice(1)]]).accuracy).toBe(0);
  });

  it("is 0 where nothing was asked", () => {
    expect(multipleChoiceAccuracy([], [])).toEqual({ accuracy: 0, accuracyByCharacters: 0, accuracyByBytes: 0 });
  });
});
