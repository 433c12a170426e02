import { describe, expect, it } from "@jest/globals";
import { plainEnds, tokenStrings } from "../../support/encoded-text.ts";
import {
  byteLevel,
  byteLevelTokenizerJson,
  characterTokenizerJson,
  openJson,
  sentencePiece,
  unigram,
  wordPiece,
  wordPieceTokenizerJson,
} from "../../support/tiny-tokenizers.ts";

describe("pre-tokenizers", () => {
  const pieces = (preTokenizer: object, text: string) => {
    const json = { ...characterTokenizerJson(""), normalizer: null, pre_tokenizer: preTokenizer };
    // every piece is one unknown token, so its range is the piece's
    const { ends } = openJson(json).encode(text);
    const bytes = Buffer.from(text);
    return [...ends].map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end).toString());
  };
  const at = (behavior: string, invert = false) => ({
    type: "Split",
    pattern: { Regex: "-" },
    behavior,
    invert,
  });

  it.each([
    [at("Isolated"), ["a", "-", "-", "b", "-"]],
    [at("Isolated", true), ["a", "-", "-", "b", "-"]],
    [at("Removed"), ["a", "--b-"]],
    [at("Removed", true), ["a-", "-", "b-"]],
    [at("MergedWithPrevious"), ["a-", "-", "b-"]],
    [at("MergedWithNext"), ["a", "-", "-b", "-"]],
    [at("Contiguous"), ["a", "--", "b", "-"]],
    [{ type: "CharDelimiterSplit", delimiter: "-" }, ["a", "--b-"]],
    [{ type: "Punctuation" }, ["a", "-", "-", "b", "-"]],
    [{ type: "Punctuation", behavior: "Contiguous" }, ["a", "--", "b", "-"]],
    [{ type: "Whitespace" }, ["a", "--", "b", "-"]],
  ])("%j part words and keep their places", (step, expected) => {
    expect(pieces(step, "a--b-")).toEqual(expected);
  });

  it("part digits of every script, one by one or together", () => {
    expect(pieces({ type: "Digits", individual_digits: true }, "a1٣b")).toEqual(["a", "1", "٣", "b"]);
    expect(pieces({ type: "Digits" }, "a1٣b")).toEqual(["a", "1٣", "b"]);
  });
});

describe("added tokens that are not special", () => {
  const withAdded = (token: object) => {
    const json = wordPieceTokenizerJson(["the", "##y"]) as { added_tokens: object[] };
    json.added_tokens.push({ id: 90, content: "Ö", special: false, normalized: false, ...token });
    return openJson(json);
  };
  const written = (token: object, text: string) => {
    const tokenizer = withAdded(token);
    const { ids, ends } = tokenizer.encode(text);
    return [tokenStrings(tokenizer, ids), [...ends]];
  };

  it("are found in the text as it stands, or in what the normalizer makes of it", () => {
    expect(written({}, "theÖthe ö")).toEqual([
      ["the", "Ö", "the", "[UNK]"],
      [3, 5, 8, 11],
    ]);
    expect(written({ normalized: true }, "theÖthe ö o")).toEqual([
      ["the", "Ö", "the", "Ö", "Ö"],
      [3, 5, 8, 11, 13],
    ]);
  });

  it("take the white space beside them where they say so", () => {
    expect(written({ lstrip: true, rstrip: true }, "the  Ö the")).toEqual([
      ["the", "Ö", "the"],
      [3, 8, 11],
    ]);
    expect(written({ rstrip: true }, "theÖ  y")).toEqual([
      ["the", "Ö", "[UNK]"],
      [3, 7, 8],
    ]);
  });

  it("are left alone within words where they say so", () => {
    expect(written({ single_word: true }, "theÖ Ö, Öthe")).toEqual([
      ["[UNK]", "Ö", ",", "[UNK]"],
      [5, 8, 9, 15],
    ]);
  });
});

describe("a text", () => {
  it("knownDivergence (Hugging Face): is never read as a special token", () => {
    for (const tokenizer of [sentencePiece(), byteLevel(), unigram({ byteFallback: true })])
      for (const text of ["</s>", "a<s>b", "<|endoftext|>", "<unk>", "<0x41>"]) {
        const { ids } = tokenizer.encode(text);
        expect(tokenizer.decode(ids)).toBe(text);
        expect([...ids].every((id) => tokenizer.vocabulary.tokens[id] !== null)).toBe(true);
      }
  });

  it("is refused at the first byte that the tokens do not reach", () => {
    const json = characterTokenizerJson("ab") as { model: { unk_token: null } };
    json.model.unk_token = null;
    expect(() => openJson(json, {}, "client harbour: tokenizer.json").encode("ab日a")).toThrow(
      expect.objectContaining({
        name: "InvalidInputError",
        code: "UNREPRESENTABLE_TEXT",
        message: expect.stringMatching(
          /^client harbour: tokenizer.json: .* from byte 2 on: the tokenizer has no token for what stands there$/,
        ),
      }),
    );
  });

  it("may be written otherwise than it stands, and keeps its ranges", () => {
    const tokenizer = openJson({ ...(byteLevelTokenizerJson([]) as object), normalizer: { type: "NFC" } });
    expect(plainEnds(tokenizer.encode("né"))).toEqual({ startEnd: 0, ends: [1, 2, 3] });
    expect(plainEnds(tokenizer.encode("ne\u0301e"))).toEqual({ startEnd: 0, ends: [1, 4, 4, 5] });
  });

  it("is refused where every character of it is dropped", () => {
    const tokenizer = wordPiece();
    expect(() => tokenizer.encode(" \u200b\n")).toThrow(
      expect.objectContaining({
        code: "UNREPRESENTABLE_TEXT",
        message: expect.stringContaining("drops every character"),
      }),
    );
    expect(tokenizer.encode("").ids.length).toBe(0);
  });

  it("is refused with half a surrogate pair", () => {
    expect(() => byteLevel().encode("a\ud800")).toThrow(expect.objectContaining({ code: "UNREPRESENTABLE_TEXT" }));
  });
});
