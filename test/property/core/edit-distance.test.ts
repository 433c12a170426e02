import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { codePointsOf } from "../../../shared/src/core/alignment/code-points.ts";
import { editDistance } from "../../../shared/src/core/alignment/edit-distance.ts";
import { naiveDistance } from "../../support/naive-distance.ts";

const word = (maxLength: number) => fc.array(fc.integer({ min: 97, max: 100 }), { maxLength });
const utf8 = (text: string) => new TextEncoder().encode(text);

describe("the edit distance", () => {
  it("is the textbook's, at any length and within any bound", () => {
    fc.assert(
      fc.property(word(60), word(60), fc.integer({ min: 0, max: 70 }), (a, b, bound) => {
        const distance = naiveDistance(a, b);
        expect(editDistance(a, b)).toBe(distance);
        expect(editDistance(a, b, bound)).toBe(Math.min(distance, bound + 1));
      }),
    );
  });

  it("is found where it is just the bound, which the lengths alone reach", () => {
    const [long, short] = [
      [97, 98, 99, 100],
      [98, 99],
    ];
    expect([1, 2, 3].map((bound) => editDistance(long, short, bound))).toEqual([2, 2, 2]);
    expect([1, 2, 3].map((bound) => editDistance(short, long, bound))).toEqual([2, 2, 2]);
  });

  it("is a metric", () => {
    fc.assert(
      fc.property(word(8), word(8), word(8), (a, b, c) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b) === 0).toBe(a.join() === b.join());
        expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c));
      }),
    );
  });
});

/** A byte that is part of no character. */
const stray = (byte: number) => 0x110000 + byte;

describe("a token's characters", () => {
  it("are the text's code points where the bytes are UTF-8", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        fc.pre(text.isWellFormed());
        expect([...codePointsOf(utf8(text))]).toEqual([...text].map((character) => character.codePointAt(0)));
      }),
    );
  });

  it.each([
    ["the least and the most of two bytes", [0xc2, 0x80, 0xdf, 0xbf], [0x80, 0x7ff]],
    ["the least and the most of three bytes", [0xe0, 0xa0, 0x80, 0xef, 0xbf, 0xbf], [0x800, 0xffff]],
    ["the least and the most of four bytes", [0xf0, 0x90, 0x80, 0x80, 0xf4, 0x8f, 0xbf, 0xbf], [0x10000, 0x10ffff]],
    ["what stands beside the surrogates", [0xed, 0x9f, 0xbf, 0xee, 0x80, 0x80], [0xd7ff, 0xe000]],
    ["a surrogate", [0xed, 0xa0, 0x80], [0xed, 0xa0, 0x80].map(stray)],
    ["two bytes for what fits one", [0xc1, 0xbf], [0xc1, 0xbf].map(stray)],
    ["three bytes for what fits two", [0xe0, 0x9f, 0xbf], [0xe0, 0x9f, 0xbf].map(stray)],
    ["four bytes for what fits three", [0xf0, 0x8f, 0xbf, 0xbf], [0xf0, 0x8f, 0xbf, 0xbf].map(stray)],
    ["a number beyond Unicode", [0xf4, 0x90, 0x80, 0x80], [0xf4, 0x90, 0x80, 0x80].map(stray)],
    ["a first byte beyond Unicode", [0xf5, 0x80, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80].map(stray)],
    ["a character cut short", [0xf0, 0x9f, 0x98], [0xf0, 0x9f, 0x98].map(stray)],
    ["a character broken off by another", [0xe2, 0x82, 0x61], [stray(0xe2), stray(0x82), 0x61]],
    ["a rest without its beginning", [0x61, 0x82], [0x61, stray(0x82)]],
  ])("are bytes of their own exactly where they are no UTF-8: %s", (_, bytes, points) => {
    expect([...codePointsOf(Uint8Array.from(bytes))]).toEqual(points);
  });

  it("are invalid exactly where a decoder says so", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 6 }), (bytes) => {
        const points = [...codePointsOf(bytes)];
        let valid = true;
        try {
          new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
        } catch {
          valid = false;
        }
        expect(points.every((point) => point < 0x110000)).toBe(valid);
        const back = points.flatMap((point) =>
          point < 0x110000 ? [...utf8(String.fromCodePoint(point))] : [point - 0x110000],
        );
        expect(back).toEqual([...bytes]);
      }),
      { numRuns: 2000 },
    );
  });
});
