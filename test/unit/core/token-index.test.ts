import { describe, expect, it } from "@jest/globals";
import { TokenIndex } from "../../../shared/src/core/alignment/token-index.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const indexOf = (...tokens: (string | null)[]) =>
  new TokenIndex(tokens.map((token) => (token === null ? null : bytes(token))));

describe("an index of tokens", () => {
  it("finds a token by its bytes, the lowest id of several, and none that is not there", () => {
    const index = indexOf("b", null, "a", "ab", "a", "b");
    expect(["a", "b", "ab", "ba", "abc", ""].map((token) => index.equal(bytes(token)))).toEqual([2, 0, 3, -1, -1, -1]);
    expect([...index.lowest]).toEqual([0, -1, 2, 3, 2, 0]);
  });

  it("finds the longest token that a text begins with, itself included", () => {
    const index = indexOf("a", "abc", "c", "");
    expect(["abcd", "abc", "ab", "b", "cab", ""].map((text) => index.longestPrefix(bytes(text)))).toEqual([
      ...[1, 1, 0, -1, 2, -1],
    ]);
    expect(index.equal(bytes(""))).toBe(3);
  });

  it("tells tokens apart whose FNV-1a hashes are equal, of one length or of two", () => {
    const [one, same, other] = ["declinate", "macallums", "costarring"];
    const index = indexOf(one, same, other);
    expect([one, same, other, "liquid"].map((token) => index.equal(bytes(token)))).toEqual([0, 1, 2, -1]);
    expect(index.longestPrefix(bytes("macallums!"))).toBe(1);
    expect(indexOf(one).equal(bytes(same))).toBe(-1);
    expect(indexOf("liquid").longestPrefix(bytes(other))).toBe(-1);
  });

  it("tells a token from its own beginning where their hashes are equal", () => {
    const index = indexOf("thesrnfwlb");
    expect(index.equal(bytes("the"))).toBe(-1);
    expect(index.longestPrefix(bytes("thesis in print"))).toBe(-1);
    expect(index.equal(bytes("thesrnfwlb"))).toBe(0);
  });

  it("finds all of many, also where its table is as full as it gets, and in none nothing", () => {
    for (const count of [1, 2, 3, 4, 7, 8, 255, 256, 1000]) {
      const names = Array.from({ length: count }, (_, id) => `t${id}`);
      const index = indexOf(...names);
      expect(names.map((name) => index.equal(bytes(name)))).toEqual([...names.keys()]);
      expect(index.equal(bytes(`t${count}`))).toBe(-1);
    }
    expect(indexOf().equal(bytes("a"))).toBe(-1);
    expect(indexOf(null).longestPrefix(bytes("a"))).toBe(-1);
  });
});
