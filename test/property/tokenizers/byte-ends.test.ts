import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Tokenizer } from "../../../shared/src/ports/tokenizer.ts";
import { itWithMaterial } from "../../support/material.ts";
import { openMaterialTokenizer } from "../../support/open-material-tokenizer.ts";
import { byteLevel, characters, sentencePiece } from "../../support/tiny-tokenizers.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

/** Unicode strings with much of what tokens are made of in them. */
const text = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 4 }),
      fc.string({ unit: "grapheme", maxLength: 4 }),
      fc.constantFrom(" ", "  ", "the", " the", "Once", "\n", "▁", "</s>", "<0x41>", "é", "日本", "👩‍👩‍👧"),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(""))
  .filter((candidate) => candidate.isWellFormed());

function holdsFor(tokenizer: Tokenizer): void {
  fc.assert(
    fc.property(text, (candidate) => {
      const bytes = utf8(candidate);
      const { ids, ends, startEnd } = tokenizer.encode(candidate);
      expect(ends.length).toBe(ids.length);
      expect(ends.at(-1) ?? 0).toBe(bytes.length);
      let end: number = startEnd;
      let known = true;
      ids.forEach((id, index) => {
        expect(ends[index]).toBeGreaterThan(end);
        const token = tokenizer.vocabulary.tokens[id];
        if (token === null) {
          expect(id).toBe(tokenizer.vocabulary.roles.unknown);
          known = false;
        } else if (!candidate.includes("▁")) {
          const added = end < 0 ? [0x20] : [];
          expect([...token]).toEqual([...added, ...bytes.subarray(Math.max(0, end), ends[index])]);
        }
        end = ends[index];
      });
      if (known && !candidate.includes("▁")) expect(tokenizer.decode(ids)).toBe(candidate);
    }),
    { numRuns: 150 },
  );
}

describe("tokens cover the text exactly, byte by byte, and decode to it", () => {
  it("for characters with an unknown token", () => holdsFor(characters()));
  it("for SentencePiece with byte fallback", () => holdsFor(sentencePiece()));
  it("for byte-level BPE", () => holdsFor(byteLevel()));
  for (const name of ["babyllama105", "stories260k_tok512", "llama2", "gpt2", "opt"])
    itWithMaterial(`for ${name}`, () => holdsFor(openMaterialTokenizer(name)));
});
