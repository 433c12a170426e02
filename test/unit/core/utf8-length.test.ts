import { describe, expect, it } from "@jest/globals";
import { utf8Length } from "../../../shared/src/core/samples/utf8-length.ts";

describe("the UTF-8 length of a text", () => {
  it.each([
    ["", 0],
    ["a", 1],
    ["\u007f", 1],
    ["\u0080", 2],
    ["\u07ff", 2],
    ["\u0800", 3],
    ["\ud7ff", 3],
    ["\ue000", 3],
    ["\uffff", 3],
    ["\u{10000}", 4],
    ["\u{10ffff}", 4],
    ["a\u{1f600}b", 6],
  ])("is that of its encoding: %j", (text, bytes) => {
    expect(utf8Length(text)).toBe(bytes);
    expect(new TextEncoder().encode(text)).toHaveLength(bytes);
  });

  it.each([
    ["a first half alone", "\ud83d"],
    ["a first half before a letter", "\ud83da"],
    ["a second half alone", "\ude00"],
    ["a first half before another pair", "\ud83d\ud83d\ude00"],
    ["halves the wrong way round", "\ude00\ud83d"],
    ["a first half before what stands behind the second halves", "\udbff\ue000"],
  ])("counts half a surrogate pair as the three bytes of U+FFFD: %s", (_, text) => {
    expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length);
  });

  it("may be a part's, which ends where it ends, be it inside a pair", () => {
    expect(utf8Length("aé😀b", 1, 2)).toBe(2);
    expect(utf8Length("aé😀b", 1, 4)).toBe(6);
    expect(utf8Length("aé😀b", 2, 3)).toBe(3);
    expect(utf8Length("aé😀b", 3)).toBe(4);
  });
});
