import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { cutText } from "../../../shared/src/core/samples/cut-text.ts";
import { utf8Length } from "../../../shared/src/core/samples/utf8-length.ts";

/** Texts of words and gaps of many kinds, some words far longer than a sample. */
const texts = fc
  .array(
    fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 12 }),
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.constantFrom(" ", "\n\n", "\t ", "\u00a0", "\u2028", "\ufeff"),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(""));
const limits = fc.integer({ min: 4, max: 40 });
const withoutSpace = (text: string) => text.replace(/\s/gu, "");

describe("cutting a text", () => {
  it("loses white space only", () => {
    fc.assert(
      fc.property(texts, limits, (text, limit) => {
        expect(cutText(text, limit).map(withoutSpace).join("")).toBe(withoutSpace(text));
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  it("makes pieces that are in the text as they are, in order", () => {
    fc.assert(
      fc.property(texts, limits, (text, limit) => {
        let at = 0;
        for (const piece of cutText(text, limit)) {
          const found = text.indexOf(piece, at);
          expect(found).toBeGreaterThanOrEqual(at);
          expect(text.slice(at, found).trim()).toBe("");
          at = found + piece.length;
        }
      }),
      { numRuns: 1000, seed: 2 },
    );
  });

  it("never exceeds the limit, begins or ends a piece with white space, leaves one empty or breaks a character", () => {
    fc.assert(
      fc.property(texts, limits, (text, limit) => {
        for (const piece of cutText(text, limit)) {
          expect(new TextEncoder().encode(piece).length).toBeLessThanOrEqual(limit);
          expect(piece).toBe(piece.trim());
          expect(piece).not.toBe("");
          expect(piece.isWellFormed()).toBe(true);
        }
      }),
      { numRuns: 2000, seed: 3 },
    );
  });

  it("is greedy: no piece could take the first word, or the first character, of the next", () => {
    fc.assert(
      fc.property(texts, limits, (text, limit) => {
        const pieces = cutText(text, limit);
        let at = 0;
        const begins = pieces.map((piece) => {
          const begin = text.indexOf(piece, at);
          at = begin + piece.length;
          return begin;
        });
        for (let index = 0; index + 1 < pieces.length; index++) {
          const next = begins[index + 1];
          const isWordCut = next === begins[index] + pieces[index].length;
          const word = /^\S+/u.exec(text.slice(next))![0];
          const taken = isWordCut ? String.fromCodePoint(text.codePointAt(next)!) : word;
          expect(utf8Length(text, begins[index], next + taken.length)).toBeGreaterThan(limit);
        }
      }),
      { numRuns: 1000, seed: 4 },
    );
  });

  it("counts bytes as UTF-8 does", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length);
      }),
      { seed: 5 },
    );
  });
});
