import { describe, expect, it } from "@jest/globals";
import { answerPositions, learnedPositions, tokensToRead } from "../../../shared/src/core/samples/answer-positions.ts";

const flags = (...answer: number[]) => ({ answer: Uint8Array.from(answer) });

describe("answer positions", () => {
  it("are the tokens before answer tokens, wherever those stand", () => {
    expect(answerPositions(flags(0, 0, 1, 0, 1, 1))).toEqual(Int32Array.of(1, 3, 4));
    expect(answerPositions(flags(0, 1))).toEqual(Int32Array.of(0));
    expect(answerPositions(flags(0, 0))).toEqual(new Int32Array(0));
  });

  it("need no token read that stands behind the last of them", () => {
    expect(tokensToRead(flags(0, 0, 1, 1, 0, 0))).toBe(3);
    expect(tokensToRead(flags(0, 1))).toBe(1);
    expect(tokensToRead(flags(0, 0))).toBe(0);
  });
});

describe("the positions at which a sample is learned", () => {
  it("are the answer's where nothing else is taught", () => {
    expect(learnedPositions(flags(0, 0, 1, 1), Int32Array.of())).toEqual(Int32Array.of(1, 2));
    expect(learnedPositions(flags(0, 0, 1, 1), Int32Array.of(2))).toEqual(Int32Array.of(1, 2));
  });

  it("are those at which a prompt is taught too, in order", () => {
    expect(learnedPositions(flags(0, 0, 0, 1, 0, 1), Int32Array.of(0, 3, 4))).toEqual(Int32Array.of(0, 2, 3, 4));
    expect(learnedPositions(flags(0, 0, 0), Int32Array.of(0))).toEqual(Int32Array.of(0));
  });
});
