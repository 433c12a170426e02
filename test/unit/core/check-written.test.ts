import { describe, expect, it } from "@jest/globals";
import { checkWritten } from "../../../shared/src/core/alignment/check-written.ts";

const UNKNOWN = 0;
const encoded = (ids: number[], ends: number[], answer: number[]) => ({
  ids: Int32Array.from(ids),
  ends: Int32Array.from(ends),
  answer: Uint8Array.from(answer),
  answerBytes: 1,
});

describe("an answer that a tokenizer cannot write", () => {
  it("is refused with the byte at which it begins", () => {
    const sample = encoded([1, 5, UNKNOWN, 6], [0, 3, 7, 8], [0, 1, 1, 1]);
    expect(() => checkWritten(sample, UNKNOWN, "harbour: sample ab")).toThrow(
      expect.objectContaining({
        name: "InvalidInputError",
        code: "ANSWER_UNWRITABLE",
        message:
          "harbour: sample ab: the tokenizer has no token for what begins at byte 3, so its loss would compare with nobody's; expected text that every party can write: keepCharactersOf drops other characters",
      }),
    );
  });

  it("begins at byte 0 where a space was added before the text", () => {
    expect(() => checkWritten(encoded([1, UNKNOWN], [-1, 4], [0, 1]), UNKNOWN, "a")).toThrow("begins at byte 0,");
  });

  it("is none where only the prompt has such a token, where no token is unknown, or where the tokenizer has none", () => {
    expect(() => checkWritten(encoded([1, UNKNOWN, 6], [0, 1, 2], [0, 0, 1]), UNKNOWN, "a")).not.toThrow();
    expect(() => checkWritten(encoded([1, 5], [0, 1], [0, 1]), UNKNOWN, "a")).not.toThrow();
    expect(() => checkWritten(encoded([1, 0], [0, 1], [0, 1]), null, "a")).not.toThrow();
  });
});
