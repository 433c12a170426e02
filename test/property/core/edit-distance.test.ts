import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { codePointsOf } from "../../../shared/src/core/alignment/code-points.ts";
import { editDistance } from "../../../shared/src/core/alignment/edit-distance.ts";
import { prepareNearestToken } from "../../../shared/src/core/alignment/nearest-token.ts";

/** The textbook's table, in full. */
function naiveDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const table = Array.from({ length: a.length + 1 }, (_, line) =>
    Array.from({ length: b.length + 1 }, (_, column) => line + column),
  );
  for (let line = 1; line <= a.length; line++)
    for (let column = 1; column <= b.length; column++)
      table[line][column] = Math.min(
        table[line - 1][column] + 1,
        table[line][column - 1] + 1,
        table[line - 1][column - 1] + (a[line - 1] === b[column - 1] ? 0 : 1),
      );
  return table[a.length][b.length];
}

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

describe("the nearest token", () => {
  const token = fc.oneof(
    fc.string({ unit: fc.constantFrom("a", "b", "c", " ", "é"), minLength: 1, maxLength: 6 }).map(utf8),
    fc.string({ unit: fc.constantFrom("a", "b"), minLength: 30, maxLength: 40 }).map(utf8),
    fc.uint8Array({ minLength: 1, maxLength: 3 }),
    fc.constant(null),
  );

  it("is the lowest id of the least distance, as trying them all finds", () => {
    fc.assert(
      fc.property(
        fc.array(token, { maxLength: 20 }),
        fc.array(token, { minLength: 1, maxLength: 5 }),
        (targets, sources) => {
          const findNearest = prepareNearestToken(targets);
          for (const source of sources) {
            if (source === null) continue;
            let best: { id: number; distance: number } | null = null;
            targets.forEach((target, id) => {
              if (target === null) return;
              const distance = naiveDistance(codePointsOf(source), codePointsOf(target));
              if (best === null || distance < best.distance) best = { id, distance };
            });
            expect(findNearest(codePointsOf(source))).toEqual(best);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
