import { openTokenizer } from "../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import type { Tokenizer } from "../../shared/src/ports/tokenizer.ts";

/** Small tokenizers of all kinds, written by hand, for tests that must run everywhere. */

const SPECIALS = ["<unk>", "<s>", "</s>"];
const added = SPECIALS.map((content, id) => ({ id, content, special: true, normalized: false }));
const sentencePieceNormalizer = {
  type: "Sequence",
  normalizers: [
    { type: "Prepend", prepend: "▁" },
    { type: "Replace", pattern: { String: " " }, content: "▁" },
  ],
};

const numbered = (tokens: readonly string[]) => Object.fromEntries(tokens.map((token, id) => [token, id]));

/** Merges that build each piece from left to right, where all its beginnings are pieces too. */
function mergesOf(pieces: readonly string[]): string[] {
  return pieces.filter((piece) => [...piece].length > 1).map((piece) => `${piece.slice(0, -1)} ${piece.slice(-1)}`);
}

/** Single characters, `<unk>` for others, "▁" before every text; BabyLlama's kind. */
export function characterTokenizerJson(characters: string): object {
  return {
    added_tokens: added,
    normalizer: sentencePieceNormalizer,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: {
      type: "BPE",
      unk_token: "<unk>",
      fuse_unk: true,
      byte_fallback: false,
      vocab: numbered([...SPECIALS, ...new Set(`▁${characters}`)]),
      merges: [],
    },
  };
}

/** SentencePiece's BPE with byte fallback; LLaMA-2's kind. `pieces` must hold every beginning of each piece. */
export function sentencePieceTokenizerJson(pieces: readonly string[]): object {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  const tokens = [...new Set([...SPECIALS, ...bytes, "▁", ...pieces.flatMap((piece) => [...piece]), ...pieces])];
  return {
    added_tokens: added,
    normalizer: sentencePieceNormalizer,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: {
      type: "BPE",
      unk_token: "<unk>",
      fuse_unk: true,
      byte_fallback: true,
      vocab: numbered(tokens),
      merges: mergesOf(pieces),
    },
  };
}

/** Byte-level BPE; GPT-2's kind, whose one special token is its last. `pieces` in GPT-2's alphabet, as above. */
export function byteLevelTokenizerJson(pieces: readonly string[]): object {
  let shifted = 0;
  const alphabet = Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(printable ? byte : 0x100 + shifted++);
  });
  const tokens = [...new Set([...alphabet, ...pieces])];
  return {
    added_tokens: [{ id: tokens.length, content: "<|endoftext|>", special: true, normalized: false }],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
    post_processor: null,
    decoder: { type: "ByteLevel" },
    model: { type: "BPE", unk_token: null, vocab: numbered(tokens), merges: mergesOf(pieces) },
  };
}

/** BERT's kind, which lowers and strips accents: `pieces` as in a vocabulary, some with "##" before them. */
export function wordPieceTokenizerJson(pieces: readonly string[]): object {
  const specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"];
  const template = ["[CLS]", null, "[SEP]"].map((id) =>
    id === null ? { Sequence: { id: "A" } } : { SpecialToken: { id } },
  );
  return {
    added_tokens: specials.map((content, id) => ({ id, content, special: true, normalized: false })),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: { type: "TemplateProcessing", single: template },
    decoder: null,
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: numbered([...new Set([...specials, ...pieces, ",", "日", "##,"])]),
    },
  };
}

/** T5's kind: "▁" before every text, scores by length, so that the longest pieces win. */
export function unigramTokenizerJson(
  pieces: readonly string[],
  { normalizers = [], byteFallback = false }: { normalizers?: object[]; byteFallback?: boolean } = {},
): object {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  const tokens = [
    ...new Set([...(byteFallback ? bytes : []), "▁", ...pieces.flatMap((piece) => [...piece]), ...pieces]),
  ];
  return {
    added_tokens: added,
    normalizer: { type: "Sequence", normalizers },
    pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
    post_processor: null,
    decoder: null,
    model: {
      type: "Unigram",
      unk_id: 0,
      byte_fallback: byteFallback,
      vocab: [...SPECIALS, ...tokens].map((piece, id) => [piece, id < SPECIALS.length ? 0 : -10 - 1 / piece.length]),
    },
  };
}

export function openJson(json: object, config: object = {}, what = "tokenizer.json"): Tokenizer {
  const bytes = (value: object) => new TextEncoder().encode(JSON.stringify(value));
  return openTokenizer(bytes(json), bytes(config), what);
}

export const characters = () => openJson(characterTokenizerJson("Oncewildkbr,tha"));
export const sentencePiece = () =>
  openJson(sentencePieceTokenizerJson(["▁O", "▁On", "▁Onc", "▁Once", "th", "the", "▁a"]));
export const byteLevel = () => openJson(byteLevelTokenizerJson(["Ġt", "Ġth", "Ġthe", "On", "Onc", "Once", "Ġa"]));
export const wordPiece = () => openJson(wordPieceTokenizerJson(["the", "ship", "sail", "##ing", "##s", "a", "t"]));
export const unigram = (options: Parameters<typeof unigramTokenizerJson>[1] = {}) =>
  openJson(unigramTokenizerJson(["▁the", "▁Once", "ing", "x", "f", "i", "!", "<", ">", "/", "|", "d"], options));
