import { describe, expect, it } from "@jest/globals";
import { characterTokenizerJson, openJson } from "../../support/tiny-tokenizers.ts";

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
