import { Tokenizer } from "@huggingface/tokenizers";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { endOf, startOf, unmapped } from "../../../shared/src/adapters/tokenizers/mapped-text.ts";
import { createNormalizer, joins } from "../../../shared/src/adapters/tokenizers/normalizers.ts";
import { text } from "../../support/unicode-text.ts";

const numRuns = Number(process.env.FEDMKT_PROPERTY_RUNS ?? 300);
const bert = { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true };

function libraryNormalizer(step: object): (text: string) => string {
  const model = { type: "WordPiece", vocab: {}, unk_token: "" };
  const parts = { added_tokens: [], pre_tokenizer: null, post_processor: null, decoder: null };
  const { normalizer } = new Tokenizer({ ...parts, model, normalizer: step }, {}) as unknown as {
    normalizer: { normalize(text: string): string };
  };
  return (candidate) => normalizer.normalize(candidate);
}

describe("a normalised text", () => {
  it.each([
    [{ type: "NFC" }],
    [{ type: "NFD" }],
    [{ type: "NFKC" }],
    [{ type: "NFKD" }],
    [{ type: "Lowercase" }],
    [{ type: "StripAccents" }],
    [{ type: "Strip", strip_left: true, strip_right: true }],
    [{ type: "Strip", strip_left: true, strip_right: false }],
    [{ type: "Replace", pattern: { Regex: " {2,}" }, content: " " }],
    [{ type: "Replace", pattern: { String: " " }, content: "▁" }],
    [{ ...bert, strip_accents: null, lowercase: true }],
    [{ ...bert, strip_accents: true, lowercase: false }],
    [{ ...bert, strip_accents: null, lowercase: false }],
  ])("is what the library makes of the whole, and says where everything comes from: %j", (step) => {
    const normalize = createNormalizer([step], "it");
    const library = libraryNormalizer(step);
    fc.assert(
      fc.property(text, (candidate) => {
        const mapped = normalize(unmapped(candidate));
        // where the two libraries differ: a sigma at a word's end, U+0085 and U+FEFF as white space, Chinese characters of two units
        if (!/[Σ\u0085\ufeff]|[\u{20000}-\u{3ffff}]/u.test(candidate)) expect(mapped.text).toBe(library(candidate));
        if (mapped.ends === null) {
          expect(mapped.text).toBe(candidate);
          return;
        }
        const wrong = mapped.text.split("").flatMap((written, unit) => {
          const [start, end] = [startOf(mapped, unit), endOf(mapped, unit + 1)];
          const before = unit === 0 ? [0, 0] : [startOf(mapped, unit - 1), endOf(mapped, unit)];
          const ascending = start >= before[0] && end >= Math.max(before[1], start) && end <= candidate.length;
          // what was put in comes from nowhere; all else from what becomes it by itself
          const own = start === end || normalize(unmapped(`!${candidate.slice(start, end)}!`)).text.includes(written);
          return ascending && own ? [] : [{ unit, start, end, written }];
        });
        expect(wrong).toEqual([]);
      }),
      { numRuns },
    );
  });
});

describe("Unicode normalisation run by run", () => {
  it("has every character that joins with what stands before it", () => {
    for (let code = 0; code <= 0x10ffff; code++) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const character = String.fromCodePoint(code);
      for (const form of ["NFD", "NFKD"] as const) {
        const parts = [...character.normalize(form)];
        // what composes into this character joins with its first part; letters that only belong together by compatibility do not
        const composed = parts.join("").normalize("NFC");
        if (parts.length > 1 && [...composed].length === 1 && !parts.slice(1).every(joins))
          throw new Error(`U+${code.toString(16)}: ${parts.map((part) => part.codePointAt(0)!.toString(16))}`);
      }
      if (code < 0x300 && joins(character)) throw new Error(`U+${code.toString(16)} joins`);
    }
  });
});
