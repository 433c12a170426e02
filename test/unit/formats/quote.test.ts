import { describe, expect, it } from "@jest/globals";
import { quote } from "../../../shared/src/formats/quote.ts";

describe("a value in an error message", () => {
  it.each<[string, unknown, string]>([
    ["text", 'a "b"', '"a \\"b\\""'],
    ["a list", [1, [2]], "[1,[2]]"],
    ["nothing", undefined, "undefined"],
    ["what JSON has no number for", Number.NaN, "NaN"],
    ["a number beyond JSON's", 2n ** 64n, "18446744073709551616"],
  ])("is JSON: %s", (_, value, expected) => {
    expect(quote(value)).toBe(expected);
  });

  it("is cut to a fair length, and never within a character", () => {
    expect(quote("x".repeat(1000))).toBe(`"${"x".repeat(79)}…`);
    for (const before of ["", "x"]) expect(quote(before + "😀".repeat(100)).isWellFormed()).toBe(true);
  });

  it("is told of in words where it is nested deeper than JSON can be written", () => {
    const deep = JSON.parse("[".repeat(50_000) + "]".repeat(50_000));
    expect(quote(deep)).toBe("a value that is nested too deeply");
  });
});
