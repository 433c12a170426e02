import { describe, expect, it } from "@jest/globals";
import { plainEnds, tokenStrings } from "../../support/encoded-text.ts";
import {
  byteLevel,
  characters,
  characterTokenizerJson,
  openJson,
  sentencePiece,
  sentencePieceTokenizerJson,
  unigram,
  wordPiece,
} from "../../support/tiny-tokenizers.ts";

describe("ends", () => {
  it("start before the text where the tokenizer writes a space that is not in it", () => {
    expect(plainEnds(sentencePiece().encode("Once"))).toEqual({ startEnd: -1, ends: [4] });
    expect(plainEnds(characters().encode("On"))).toEqual({ startEnd: -1, ends: [0, 1, 2] });
    expect(plainEnds(byteLevel().encode("Once the"))).toEqual({ startEnd: 0, ends: [4, 8] });
  });

  it("tell the added space from the text's own", () => {
    expect(plainEnds(sentencePiece().encode(" Once"))).toEqual({ startEnd: -1, ends: [0, 5] });
  });

  it("are empty for an empty text", () => {
    for (const tokenizer of [characters(), sentencePiece(), byteLevel()])
      expect(plainEnds(tokenizer.encode(""))).toEqual({ startEnd: 0, ends: [] });
  });

  it("part a character whose bytes are parted", () => {
    expect(plainEnds(byteLevel().encode("é€"))).toEqual({ startEnd: 0, ends: [1, 2, 3, 4, 5] });
    expect(plainEnds(sentencePiece().encode("é"))).toEqual({ startEnd: -1, ends: [0, 1, 2] });
  });

  it("give an unknown token the run of characters that it stands for", () => {
    const tokenizer = characters();
    const { ids, ends } = tokenizer.encode("a日本語b!");
    const unknown = tokenizer.vocabulary.roles.unknown;
    expect([...ids].map((id) => (id === unknown ? "?" : tokenizer.decode([id]) || " "))).toEqual([
      " ",
      "a",
      "?",
      "b",
      "?",
    ]);
    expect([...ends]).toEqual([0, 1, 10, 11, 12]);
  });

  it("give an unfused unknown token one character each", () => {
    const json = characterTokenizerJson("ab") as { model: { fuse_unk: boolean } };
    json.model.fuse_unk = false;
    expect(plainEnds(openJson(json).encode("a日本b"))).toEqual({ startEnd: -1, ends: [0, 1, 4, 7, 8] });
  });

  it("let the added space be part of what an unknown token covers", () => {
    const json = characterTokenizerJson("ab") as { model: { vocab: Record<string, number> } };
    delete json.model.vocab["▁"];
    expect(plainEnds(openJson(json).encode("日a"))).toEqual({ startEnd: -1, ends: [3, 4] });
  });

  it("count a mark that stands in the text itself with its own bytes", () => {
    expect(plainEnds(characters().encode("O▁n"))).toEqual({ startEnd: -1, ends: [0, 1, 4, 5] });
  });

  it("come from words that are split before each mark, unless the tokenizer says otherwise", () => {
    const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: "always" };
    const json = { ...sentencePieceTokenizerJson(["a▁"]), normalizer: null };
    expect(plainEnds(openJson({ ...json, pre_tokenizer: { ...metaspace, split: false } }).encode("a a")).ends).toEqual([
      0, 2, 3,
    ]);
    expect(plainEnds(openJson({ ...json, pre_tokenizer: metaspace }).encode("a a")).ends).toEqual([0, 1, 2, 3]);
  });

  it("see no added space before a text that begins with one, where the tokenizer adds it only elsewhere", () => {
    const json = {
      ...(characterTokenizerJson("Once") as object),
      normalizer: null,
      pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: false },
    };
    expect(plainEnds(openJson(json).encode("On"))).toEqual({ startEnd: -1, ends: [0, 1, 2] });
    expect(plainEnds(openJson(json).encode(" On"))).toEqual({ startEnd: 0, ends: [1, 2, 3] });
  });
});

describe("ends in a text that is written otherwise", () => {
  it("give white space to the word after it, at the end to the last word", () => {
    const { ids, ends } = wordPiece().encode("  the ship,  sailing \n");
    expect(tokenStrings(wordPiece(), ids)).toEqual(["the", "ship", ",", "sail", "##ing"]);
    expect([...ends]).toEqual([5, 10, 11, 17, 22]);
  });

  it("give a dropped accent to its letter, composed or not", () => {
    for (const [text, ends] of [
      ["thé ship", [4, 9]],
      ["THE\u0301 SHIP", [5, 10]],
    ] as const)
      expect(plainEnds(wordPiece().encode(text))).toEqual({ startEnd: 0, ends });
  });

  it("give a word without a writing to one unknown token", () => {
    const { ids, ends } = wordPiece().encode("the shipzilla, the");
    expect(tokenStrings(wordPiece(), ids)).toEqual(["the", "[UNK]", ",", "the"]);
    expect([...ends]).toEqual([3, 13, 14, 18]);
  });

  it("give all tokens that one character became its end", () => {
    const tokenizer = unigram({ normalizers: [{ type: "NFKC" }] });
    const { ids, ends, startEnd } = tokenizer.encode("xﬁ!");
    expect(tokenStrings(tokenizer, ids)).toEqual(["▁", "x", "f", "i", "!"]);
    expect({ ends: [...ends], startEnd }).toEqual({ ends: [0, 1, 4, 4, 5], startEnd: -1 });
  });

  it("part a character that falls back to bytes", () => {
    expect(plainEnds(unigram({ byteFallback: true }).encode("é€!")).ends).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(plainEnds(unigram({ byteFallback: false }).encode("é€!")).ends).toEqual([0, 5, 6]);
  });

  it("see no added space where white space was dropped for it", () => {
    const tokenizer = unigram({ normalizers: [{ type: "Strip", strip_left: true, strip_right: true }] });
    expect(plainEnds(tokenizer.encode("  the "))).toEqual({ startEnd: 0, ends: [6] });
    expect(plainEnds(tokenizer.encode("the"))).toEqual({ startEnd: -1, ends: [3] });
  });
});
