import { describe, expect, it } from "@jest/globals";
import type { Tokenizer } from "../../../shared/src/ports/tokenizer.ts";
import {
  byteLevel,
  byteLevelTokenizerJson,
  characters,
  characterTokenizerJson,
  openJson,
  sentencePiece,
  sentencePieceTokenizerJson,
  unigram,
  wordPiece,
  wordPieceTokenizerJson,
} from "../../support/tiny-tokenizers.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const names = ({ vocabulary }: Tokenizer, ids: Int32Array) => Array.from(ids, (id) => vocabulary.strings[id]);
const plain = ({ ends, startEnd }: { ends: Int32Array; startEnd: number }) => ({ ends: [...ends], startEnd });

describe("ends", () => {
  it("start before the text where the tokenizer writes a space that is not in it", () => {
    expect(plain(sentencePiece().encode("Once"))).toEqual({ startEnd: -1, ends: [4] });
    expect(plain(characters().encode("On"))).toEqual({ startEnd: -1, ends: [0, 1, 2] });
    expect(plain(byteLevel().encode("Once the"))).toEqual({ startEnd: 0, ends: [4, 8] });
  });

  it("tell the added space from the text's own", () => {
    expect(plain(sentencePiece().encode(" Once"))).toEqual({ startEnd: -1, ends: [0, 5] });
  });

  it("are empty for an empty text", () => {
    for (const tokenizer of [characters(), sentencePiece(), byteLevel()])
      expect(plain(tokenizer.encode(""))).toEqual({ startEnd: 0, ends: [] });
  });

  it("part a character whose bytes are parted", () => {
    expect(plain(byteLevel().encode("é€"))).toEqual({ startEnd: 0, ends: [1, 2, 3, 4, 5] });
    expect(plain(sentencePiece().encode("é"))).toEqual({ startEnd: -1, ends: [0, 1, 2] });
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
    expect(plain(openJson(json).encode("a日本b"))).toEqual({ startEnd: -1, ends: [0, 1, 4, 7, 8] });
  });

  it("let the added space be part of what an unknown token covers", () => {
    const json = characterTokenizerJson("ab") as { model: { vocab: Record<string, number> } };
    delete json.model.vocab["▁"];
    expect(plain(openJson(json).encode("日a"))).toEqual({ startEnd: -1, ends: [3, 4] });
  });

  it("count a mark that stands in the text itself with its own bytes", () => {
    expect(plain(characters().encode("O▁n"))).toEqual({ startEnd: -1, ends: [0, 1, 4, 5] });
  });

  it("come from words that are split before each mark, unless the tokenizer says otherwise", () => {
    const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: "always" };
    const json = { ...sentencePieceTokenizerJson(["a▁"]), normalizer: null };
    expect(plain(openJson({ ...json, pre_tokenizer: { ...metaspace, split: false } }).encode("a a")).ends).toEqual([
      0, 2, 3,
    ]);
    expect(plain(openJson({ ...json, pre_tokenizer: metaspace }).encode("a a")).ends).toEqual([0, 1, 2, 3]);
  });

  it("see no added space before a text that begins with one, where the tokenizer adds it only elsewhere", () => {
    const json = {
      ...(characterTokenizerJson("Once") as object),
      normalizer: null,
      pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: false },
    };
    expect(plain(openJson(json).encode("On"))).toEqual({ startEnd: -1, ends: [0, 1, 2] });
    expect(plain(openJson(json).encode(" On"))).toEqual({ startEnd: 0, ends: [1, 2, 3] });
  });
});

describe("ends in a text that is written otherwise", () => {
  it("give white space to the word after it, at the end to the last word", () => {
    const { ids, ends } = wordPiece().encode("  the ship,  sailing \n");
    expect(names(wordPiece(), ids)).toEqual(["the", "ship", ",", "sail", "##ing"]);
    expect([...ends]).toEqual([5, 10, 11, 17, 22]);
  });

  it("give a dropped accent to its letter, composed or not", () => {
    for (const [text, ends] of [
      ["thé ship", [4, 9]],
      ["THE\u0301 SHIP", [5, 10]],
    ] as const)
      expect(plain(wordPiece().encode(text))).toEqual({ startEnd: 0, ends });
  });

  it("give a word without a writing to one unknown token", () => {
    const { ids, ends } = wordPiece().encode("the shipzilla, the");
    expect(names(wordPiece(), ids)).toEqual(["the", "[UNK]", ",", "the"]);
    expect([...ends]).toEqual([3, 13, 14, 18]);
  });

  it("give all tokens that one character became its end", () => {
    const tokenizer = unigram({ normalizers: [{ type: "NFKC" }] });
    const { ids, ends, startEnd } = tokenizer.encode("xﬁ!");
    expect(names(tokenizer, ids)).toEqual(["▁", "x", "f", "i", "!"]);
    expect({ ends: [...ends], startEnd }).toEqual({ ends: [0, 1, 4, 4, 5], startEnd: -1 });
  });

  it("part a character that falls back to bytes", () => {
    expect(plain(unigram({ byteFallback: true }).encode("é€!")).ends).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(plain(unigram({ byteFallback: false }).encode("é€!")).ends).toEqual([0, 5, 6]);
  });

  it("see no added space where white space was dropped for it", () => {
    const tokenizer = unigram({ normalizers: [{ type: "Strip", strip_left: true, strip_right: true }] });
    expect(plain(tokenizer.encode("  the "))).toEqual({ startEnd: 0, ends: [6] });
    expect(plain(tokenizer.encode("the"))).toEqual({ startEnd: -1, ends: [3] });
  });
});

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
    return [names(tokenizer, ids), [...ends]];
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
    expect(plain(tokenizer.encode("né"))).toEqual({ startEnd: 0, ends: [1, 2, 3] });
    expect(plain(tokenizer.encode("ne\u0301e"))).toEqual({ startEnd: 0, ends: [1, 4, 4, 5] });
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

describe("a vocabulary", () => {
  it("holds each token's bytes, and none for special tokens", () => {
    const { tokens } = sentencePiece().vocabulary;
    expect(tokens.slice(0, 3)).toEqual([null, null, null]);
    expect(tokens[3 + 0x0a]).toEqual(Uint8Array.of(0x0a));
    expect(tokens).toContainEqual(utf8(" Once"));
    expect(byteLevel().vocabulary.tokens).toContainEqual(utf8(" the"));
    expect(byteLevel().vocabulary.tokens.at(-1)).toBeNull();
  });

  it("keeps a `<0x41>` without byte fallback as the text it is", () => {
    const json = characterTokenizerJson("") as { model: { vocab: Record<string, number> } };
    json.model.vocab["<0x41>"] = 9;
    expect(openJson(json).vocabulary.tokens[9]).toEqual(utf8("<0x41>"));
  });

  it("tells a byte token that its character makes superfluous from one that is needed", () => {
    const { tokens, unwritten } = sentencePiece().vocabulary;
    expect(unwritten).toContain(3 + "O".charCodeAt(0));
    expect(unwritten).not.toContain(3 + "\n".charCodeAt(0));
    expect([...unwritten!].every((id) => id < 3 + 256 && tokens[id] !== null)).toBe(true);
    expect(byteLevel().vocabulary.unwritten!.size).toBe(0);
  });

  it("has a word's first token stand for the space before it too, and what is parted anyway for itself", () => {
    const { tokens, strings, unwritten } = wordPiece().vocabulary;
    const standsFor = (string: string) => new TextDecoder().decode(tokens[strings.indexOf(string)]!);
    expect(["the", "##ing", ",", "日", "##,"].map(standsFor)).toEqual([" the", "ing", ",", "日", ","]);
    expect([...unwritten!].map((id) => strings[id])).toEqual(["##,"]);
    expect(wordPiece().vocabulary.roles).toEqual({ bos: 2, eos: 3, unknown: 1, pad: 0 });
  });

  it("keeps each token's string as the file has it", () => {
    expect(sentencePiece().vocabulary.strings.slice(0, 4)).toEqual(["<unk>", "<s>", "</s>", "<0x00>"]);
    const json = byteLevelTokenizerJson(["Ġt"]) as { added_tokens: { id: number }[] };
    json.added_tokens[0].id = 300;
    const { strings } = openJson(json).vocabulary;
    expect(strings.slice(256, 258)).toEqual(["Ġt", null]);
    expect(strings[300]).toBe("<|endoftext|>");
  });

  it("gives an added token that is not special its text", () => {
    const json = byteLevelTokenizerJson([]) as { added_tokens: object[] };
    json.added_tokens.push({ id: 300, content: "    ", special: false, normalized: false });
    const tokenizer = openJson(json);
    expect(plain(tokenizer.encode("a    b"))).toEqual({ startEnd: 0, ends: [1, 5, 6] });
    expect(tokenizer.vocabulary.tokens.length).toBe(301);
    expect(tokenizer.vocabulary.tokens[299]).toBeNull();
  });
});

describe("roles", () => {
  it("come from config.json first", () => {
    const tokenizer = openJson(byteLevelTokenizerJson([]), {
      bos_token_id: 256,
      eos_token_id: [256, 1],
      pad_token_id: -1,
    });
    expect(tokenizer.vocabulary.roles).toEqual({ bos: 256, eos: 256, unknown: null, pad: null });
  });

  it("come from the template and the usual contents where config.json is silent", () => {
    expect(sentencePiece().vocabulary.roles).toEqual({ bos: 1, eos: 2, unknown: 0, pad: null });
    expect(byteLevel().vocabulary.roles.bos).toBeNull();
    const template = {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "</s>" } }, { Sequence: { id: "A" } }],
    };
    const json = { ...(sentencePieceTokenizerJson([]) as object), post_processor: template };
    expect(openJson(json).vocabulary.roles.bos).toBe(2);
  });

  it.each(["BertProcessing", "RobertaProcessing"])(
    "come from the two tokens of a %s, alone or in a sequence",
    (type) => {
      const pair = { type, sep: ["</s>", 2], cls: ["<unk>", 0] };
      for (const step of [pair, { type: "Sequence", processors: [{ type: "ByteLevel" }, pair] }]) {
        const json = { ...(sentencePieceTokenizerJson([]) as object), post_processor: step };
        expect(openJson(json).vocabulary.roles).toMatchObject({ bos: 0, eos: 2 });
      }
    },
  );

  it("may not name an id that the tokenizer lacks", () => {
    expect(() => openJson(byteLevelTokenizerJson([]), { bos_token_id: 999 })).toThrow(
      expect.objectContaining({ code: "INVALID_MODEL_CONFIG", message: expect.stringContaining("999") }),
    );
  });
});

describe("a tokenizer file is refused", () => {
  const refused = (change: (json: { model: Record<string, unknown>; [field: string]: unknown }) => void) => {
    const json = structuredClone(characterTokenizerJson("abc")) as { model: Record<string, unknown> };
    change(json);
    return () => openJson(json, {}, "client harbour: models/a/tokenizer.json");
  };
  const cases: [string, Parameters<typeof refused>[0], string, RegExp][] = [
    ["as WordLevel", (json) => (json.model.type = "WordLevel"), "TOKENIZER_UNSUPPORTED", /harbour.*WordLevel/],
    [
      "with an ending of words",
      (json) => (json.model.end_of_word_suffix = "</w>"),
      "TOKENIZER_UNSUPPORTED",
      /end_of_word_suffix/,
    ],
    [
      "with bytes as characters in Unigram",
      (json) => {
        json.model = { vocab: [["a", -1]] };
        json.normalizer = null;
        json.pre_tokenizer = { type: "ByteLevel" };
      },
      "TOKENIZER_UNSUPPORTED",
      /Unigram/,
    ],
    ["with a piece without score", (json) => (json.model = { vocab: [["a"]] }), "INVALID_TOKENIZER", /vocab\[0\]/],
    [
      "with a piece twice",
      (json) => {
        const pieces = [0, 1].map(() => ["a", -1]);
        json.model = { vocab: pieces };
      },
      "INVALID_TOKENIZER",
      /"a" has two ids, 0 and 1/,
    ],
    [
      "with an unknown piece that is not there",
      (json) => (json.model = { vocab: [["a", -1]], unk_id: 1 }),
      "INVALID_TOKENIZER",
      /unk_id.*got 1/,
    ],
    [
      "with an unknown normalizer",
      (json) => (json.normalizer = { type: "ByteLevel" }),
      "TOKENIZER_UNSUPPORTED",
      /normalizer.*ByteLevel/,
    ],
    [
      "with a prefix that is no space",
      (json) => (json.normalizer = { type: "Prepend", prepend: "x" }),
      "TOKENIZER_UNSUPPORTED",
      /Prepend/,
    ],
    [
      "with an unknown pre-tokenizer",
      (json) => (json.pre_tokenizer = { type: "UnicodeScripts" }),
      "TOKENIZER_UNSUPPORTED",
      /pre-tokenizer.*UnicodeScripts/,
    ],
    [
      "with a pattern that is none",
      (json) => (json.pre_tokenizer = { type: "Split", pattern: { Regex: "(" }, behavior: "Isolated" }),
      "TOKENIZER_UNSUPPORTED",
      /the pattern/,
    ],
    [
      "with a split without behavior",
      (json) => (json.pre_tokenizer = { type: "Split", pattern: { String: "a" } }),
      "INVALID_TOKENIZER",
      /behavior/,
    ],
    [
      "with a replacement of nothing",
      (json) => (json.normalizer = { type: "Replace", pattern: {}, content: "" }),
      "INVALID_TOKENIZER",
      /pattern/,
    ],
    [
      "with a map cut off",
      (json) => (json.normalizer = { type: "Precompiled", precompiled_charsmap: "AAEAAA==" }),
      "INVALID_TOKENIZER",
      /precompiled_charsmap.*got 4 bytes/,
    ],
    ["with an id twice", (json) => (json.model.vocab = { a: 1, b: 1 }), "INVALID_TOKENIZER", /id 1 .*"a".*"b"/],
    [
      "with a giant id",
      (json) => (json.model.vocab = { a: 2 ** 20 }),
      "INVALID_TOKENIZER",
      /model.vocab\["a"\].*1048575/,
    ],
    ["without tokens", (json) => (json.model.vocab = {}), "INVALID_TOKENIZER", /got none/],
    ["with a bad merge", (json) => (json.model.merges = ["a b c"]), "INVALID_TOKENIZER", /merges\[0\]/],
  ];
  it.each(cases)("%s", (_, change, code, message) => {
    expect(refused(change)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });

  it("where it is not JSON", () => {
    expect(() => openJson([])).toThrow(expect.objectContaining({ code: "INVALID_JSON" }));
  });
});
