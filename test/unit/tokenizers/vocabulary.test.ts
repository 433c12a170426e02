import { describe, expect, it } from "@jest/globals";
import { plainEnds } from "../../support/encoded-text.ts";
import {
  byteLevel,
  byteLevelTokenizerJson,
  characterTokenizerJson,
  openJson,
  sentencePiece,
  sentencePieceTokenizerJson,
  wordPiece,
} from "../../support/tiny-tokenizers.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

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
    expect(plainEnds(tokenizer.encode("a    b"))).toEqual({ startEnd: 0, ends: [1, 5, 6] });
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
