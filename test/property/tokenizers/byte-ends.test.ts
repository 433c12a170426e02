import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Tokenizer } from "../../../shared/src/ports/tokenizer.ts";
import { itWithMaterial } from "../../support/material.ts";
import { openMaterialTokenizer } from "../../support/open-material-tokenizer.ts";
import { tilesOf } from "../../support/tiles.ts";
import { byteLevel, characters, openJson, sentencePiece, unigram, wordPiece } from "../../support/tiny-tokenizers.ts";
import { text } from "../../support/unicode-text.ts";

/** More of them by hand: FEDMKT_PROPERTY_RUNS. */
const numRuns = Number(process.env.FEDMKT_PROPERTY_RUNS ?? 200);

/** Checks the law for every tokenizer: ranges tile the text. @returns null where a text is refused */
function encodeChecked(tokenizer: Tokenizer, candidate: string): ReturnType<Tokenizer["encode"]> | null {
  let encoded: ReturnType<Tokenizer["encode"]>;
  try {
    encoded = tokenizer.encode(candidate);
  } catch (error) {
    expect(error).toMatchObject({
      code: "UNREPRESENTABLE_TEXT",
      message: expect.stringMatching(/drops every character|no token for what stands there/),
    });
    return null;
  }
  const { ids, ends, startEnd } = encoded;
  const { strings, tokens, roles } = tokenizer.vocabulary;
  expect(ends.length).toBe(ids.length);
  // one expectation a text: they are what takes time
  const wrong = [...ids.keys()].filter((token) => {
    const special = tokens[ids[token]] === null && ids[token] !== roles.unknown;
    return special || strings[ids[token]] === null || !(ends[token] >= (token === 0 ? startEnd : ends[token - 1]));
  });
  expect(wrong).toEqual([]);
  expect(Buffer.concat(tilesOf(candidate, encoded)).equals(Buffer.from(candidate))).toBe(true);
  return encoded;
}

/**
 * Where nothing is dropped, every token covers exactly its bytes of what the tokenizer reads (the text, or its normal form), and ids decode
 * to it.
 */
function holdsExactly(tokenizer: Tokenizer, form: "NFC" | null = null, mayRefuse = false): void {
  const addsSpace = tokenizer.encode("a").startEnd < 0;
  fc.assert(
    fc.property(text, (candidate) => {
      const encoded = encodeChecked(tokenizer, candidate);
      if (encoded === null) {
        expect(mayRefuse).toBe(true);
        return;
      }
      const { ids, startEnd } = encoded;
      const normalized = form === null ? candidate : candidate.normalize(form);
      const { tokens, roles } = tokenizer.vocabulary;
      if (candidate.includes("▁")) return;
      // where a space is put before texts that begin with none, ids do not say whether it is the text's own
      const own = addsSpace && startEnd === 0 && normalized.startsWith(" ");
      if (!ids.includes(roles.unknown ?? -1))
        expect(tokenizer.decode(ids)).toBe(own ? normalized.slice(1) : normalized);
      if (normalized !== candidate) return;
      const misfits = tilesOf(candidate, encoded).filter((tile, index) => {
        const token = tokens[ids[index]];
        const added = index === 0 && startEnd < 0 ? [Buffer.from(" "), tile] : [tile];
        return token !== null && !Buffer.concat(added).equals(token);
      });
      expect(misfits).toEqual([]);
    }),
    { numRuns },
  );
}

function holds(tokenizer: Tokenizer): void {
  fc.assert(
    fc.property(text, (candidate) => {
      encodeChecked(tokenizer, candidate);
    }),
    { numRuns },
  );
}

/** WordPiece's tokens cover what they say, white space and control characters before them apart. */
function holdsForWordPiece(tokenizer: Tokenizer): void {
  fc.assert(
    fc.property(text, (candidate) => {
      const encoded = encodeChecked(tokenizer, candidate);
      if (encoded === null) {
        expect(candidate.replace(/[\p{White_Space}\p{C}\ufffd]/gu, "")).toBe("");
        return;
      }
      const misfits = tilesOf(candidate, encoded).filter((tile, index) => {
        const id = encoded.ids[index];
        const covered = tile.toString().replace(/[\p{Cc}\p{Cf}\p{Co}\p{White_Space}\ufffd]/gu, "");
        const string = tokenizer.vocabulary.strings[id]!;
        return id !== tokenizer.vocabulary.roles.unknown && ![string, string.replace(/^##/, "")].includes(covered);
      });
      expect(misfits).toEqual([]);
    }),
    { numRuns },
  );
}

describe("tokens cover the text exactly, byte by byte, and decode to it", () => {
  it("for characters with an unknown token", () => holdsExactly(characters()));
  it("for SentencePiece with byte fallback", () => holdsExactly(sentencePiece()));
  it("for Unigram with byte fallback", () => holdsExactly(unigram({ byteFallback: true })));
  it("for byte-level BPE", () => holdsExactly(byteLevel()));
  for (const name of ["babyllama105", "stories260k_tok512", "llama2", "mistral_v0.1", "gpt2", "opt", "cl100k_base"])
    itWithMaterial(`for ${name}`, () => holdsExactly(openMaterialTokenizer(name)));
  // its vocabulary lacks some of the bytes that control characters are
  itWithMaterial("for smollm2", () => holdsExactly(openMaterialTokenizer("smollm2"), null, true));
  for (const name of ["gpt_neox_pythia", "qwen"])
    itWithMaterial(`for ${name}, which composes characters`, () => holdsExactly(openMaterialTokenizer(name), "NFC"));
});

describe("ranges tile the text", () => {
  itWithMaterial("for bert_base_cased", () => holdsForWordPiece(openMaterialTokenizer("bert_base_cased")));
  it("for WordPiece that lowers and strips", () => holds(wordPiece()));
  for (const name of ["unigram-nfkc-lower", "unigram-precompiled", "unigram-plain-words", "word-piece"])
    it(`for ${name}`, () => {
      const file = join(import.meta.dirname, "../../golden/fixtures/tokenizers", `${name}.json`);
      holds(openJson(JSON.parse(readFileSync(file, "utf8")).tokenizer));
    });
});
