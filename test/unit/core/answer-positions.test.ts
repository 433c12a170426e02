import { describe, expect, it } from "@jest/globals";
import { answerPositions, tokensToRead } from "../../../shared/src/core/samples/answer-positions.ts";

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
