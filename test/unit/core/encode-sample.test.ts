import { describe, expect, it } from "@jest/globals";
import { encodeSample } from "../../../shared/src/core/alignment/encode-sample.ts";
import {
  byteLevel,
  byteLevelTokenizerJson,
  characters,
  openJson,
  sentencePiece,
} from "../../support/tiny-tokenizers.ts";

const sample = (prompt: string, answer: string, kind: "text" | "completion") => ({
  id: new Uint8Array(16).fill(0xab),
  prompt,
  answer,
  kind,
  line: 7,
});
const text = (answer: string) => sample("", answer, "text");

describe("a text", () => {
  it("is all answer but for BOS", () => {
    expect(encodeSample(text("Once"), sentencePiece(), 10)).toEqual({
      ids: Int32Array.of(1, sentencePiece().encode("Once").ids[0]),
      ends: Int32Array.of(-1, 4),
      answer: Uint8Array.of(0, 1),
      answerBytes: 4,
    });
  });

  it("counts the token of an added space as answer", () => {
    const { ends, answer } = encodeSample(text("On"), characters(), 10);
    expect([...ends]).toEqual([-1, 0, 1, 2]);
    expect([...answer]).toEqual([0, 1, 1, 1]);
  });

  it("begins with EOS where the tokenizer has no BOS", () => {
    expect(encodeSample(text("a"), byteLevel(), 10).ids[0]).toBe(byteLevel().vocabulary.roles.eos);
  });

  it("needs one of them", () => {
    const json = { ...byteLevelTokenizerJson([]), added_tokens: [] };
    expect(() => encodeSample(text("a"), openJson(json), 10)).toThrow(
      expect.objectContaining({
        code: "TOKENIZER_WITHOUT_BOS",
        message: expect.stringMatching(/^sample (ab){16} \(line or row 7 of its file\): /),
      }),
    );
  });

  it("knownDivergence (FATE-LLM truncates): must fit the model's context, or is refused by name", () => {
    expect(encodeSample(text("abc"), byteLevel(), 4).ids.length).toBe(4);
    expect(() => encodeSample(text("abcd"), byteLevel(), 4)).toThrow(
      expect.objectContaining({
        code: "SAMPLE_EXCEEDS_CONTEXT",
        message: expect.stringMatching(/sample (ab){16} \(line or row 7 of its file\): expected at most 4 .* got 5/),
      }),
    );
  });
});

describe("a completion", () => {
  it("knownDivergence (FATE-LLM divides by all tokens): has the same bytes to divide its loss by, however long its prompt", () => {
    const bytes = (prompt: string) => encodeSample(sample(prompt, " b", "completion"), byteLevel(), 100).answerBytes;
    expect(bytes("a")).toBe(2);
    expect(bytes("a".repeat(50))).toBe(2);
  });

  it("is learned with its EOS, the prompt is not", () => {
    const { ids, ends, answer, answerBytes } = encodeSample(sample("é:", " b", "completion"), byteLevel(), 10);
    expect([...ends]).toEqual([0, 1, 2, 3, 4, 5, 5]);
    expect([...answer]).toEqual([0, 0, 0, 0, 1, 1, 1]);
    expect(ids.at(-1)).toBe(byteLevel().vocabulary.roles.eos);
    expect(answerBytes).toBe(2);
  });

  it("knownDivergence (FATE-LLM joins two tokenisations): is tokenised with its prompt, and learns a token that spans the seam", () => {
    const { ends, answer } = encodeSample(sample("On", "ce", "completion"), byteLevel(), 10);
    expect([...ends]).toEqual([0, 4, 4]);
    expect([...answer]).toEqual([0, 1, 1]);
  });

  it("is refused where the tokenizer has no EOS to end it with, a text is not", () => {
    const withoutEos = {
      vocabulary: { roles: { bos: 1, eos: null } },
      encode: () => ({ ids: Int32Array.of(5), ends: Int32Array.of(1), startEnd: 0 as const }),
    };
    expect(() => encodeSample(sample("", "b", "completion"), withoutEos, 10, "harbour")).toThrow(
      expect.objectContaining({
        name: "InvalidInputError",
        code: "TOKENIZER_WITHOUT_EOS",
        message: `harbour: sample ${"ab".repeat(16)} (line or row 7 of its file): a completion ends with EOS, but the tokenizer has none; name one in config.json (eos_token_id)`,
      }),
    );
    expect([...encodeSample(text("b"), withoutEos, 10).ids]).toEqual([1, 5]);
  });
});
