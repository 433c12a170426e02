import { describe, expect, it } from "@jest/globals";
import {
  byteLevel,
  byteLevelTokenizerJson,
  characters,
  characterTokenizerJson,
  openJson,
  sentencePiece,
  sentencePieceTokenizerJson,
} from "../../support/tiny-tokenizers.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
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

describe("a text", () => {
  it("knownDivergence (Hugging Face): is never read as a special token", () => {
    for (const tokenizer of [sentencePiece(), byteLevel()])
      for (const text of ["</s>", "a<s>b", "<|endoftext|>", "<unk>"]) {
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
          /^client harbour: tokenizer.json: .* from byte 2 on: token 4 of its writing has other bytes/,
        ),
      }),
    );
  });

  it("is refused where the tokenizer would normalise it", () => {
    const tokenizer = openJson({ ...(byteLevelTokenizerJson([]) as object), normalizer: { type: "NFC" } });
    expect(tokenizer.encode("é").ends.at(-1)).toBe(2);
    expect(() => tokenizer.encode("ne\u0301e")).toThrow(/from byte 1 on.*normalise/);
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
    ["as WordPiece", (json) => (json.model.type = "WordPiece"), "TOKENIZER_UNSUPPORTED", /harbour.*WordPiece/],
    ["as Unigram, even unnamed", (json) => (json.model = { vocab: [["a", -1]] }), "TOKENIZER_UNSUPPORTED", /Unigram/],
    [
      "with a lossy normalizer",
      (json) => (json.normalizer = { type: "Lowercase" }),
      "TOKENIZER_UNSUPPORTED",
      /Lowercase/,
    ],
    [
      "with a lossy split",
      (json) => (json.pre_tokenizer = { type: "Whitespace" }),
      "TOKENIZER_UNSUPPORTED",
      /Whitespace/,
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
