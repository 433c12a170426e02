import { type TrainedBpe, trainBpe } from "./bpe-trainer.ts";

/** A tokenizer.json as a value, with the ids of the roles that config.json names. */
export interface TokenizerFile {
  json: object;
  vocabularySize: number;
  bosId: number;
  eosId: number;
}

const PRINTABLE_ASCII = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index));

/** Letters beyond ASCII that the characters tokenizer knows: Latin-1's, without being told what the others write. */
const LATIN_1_LETTERS = Array.from({ length: 64 }, (_, index) => String.fromCharCode(0xc0 + index)).filter(
  (letter) => letter !== "×" && letter !== "÷",
);

/** Marks the space before a word in SentencePiece's way. */
const SPACE_MARK = "▁";

/** GPT-2's way to cut a text into words before merging, as the ByteLevel pre-tokenizer does it. */
const GPT2_WORD = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** The special tokens of a tokenizer: they have the first ids. */
export interface SpecialTokens {
  pieces: readonly string[];
  beginning: string;
  end: string;
  /** whether the tokenizer itself writes the beginning before each text */
  writesBeginning: boolean;
}

const BEGIN_AND_END: SpecialTokens = {
  pieces: ["<|begin|>", "<|end|>"],
  beginning: "<|begin|>",
  end: "<|end|>",
  writesBeginning: true,
};

const LLAMA_TOKENS: SpecialTokens = {
  pieces: ["<unk>", "<s>", "</s>"],
  beginning: "<s>",
  end: "</s>",
  writesBeginning: true,
};

/** Byte-level BPE (GPT-2's kind): every byte is a symbol, words keep the space before them, nothing is unknown. */
export function trainByteLevel(
  texts: readonly string[],
  vocabularySize: number,
  special: SpecialTokens = BEGIN_AND_END,
): TokenizerFile {
  const symbols = byteSymbols();
  const words = countWords(
    texts,
    (text) => text.match(GPT2_WORD) ?? [],
    (word) => Array.from(Buffer.from(word), (byte) => symbols[byte]!).join(""),
  );
  const bpe = trainBpe(words, { reserved: special.pieces, alphabet: symbols, vocabularySize });
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  return tokenizerFile(special, bpe, {
    normalizer: null,
    preTokenizer: byteLevel,
    decoder: byteLevel,
    unknown: null,
    byteFallback: false,
  });
}

/** BPE in SentencePiece's (Llama's) manner: a space is written before the text, a character it lacks falls back to bytes. */
export function trainSentencePiece(texts: readonly string[], vocabularySize: number): TokenizerFile {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  const letters = new Set(texts.flatMap((text) => Array.from(text)));
  letters.delete(" ");
  const words = countWords(
    texts,
    (text) => text.split(" "),
    (word) => SPACE_MARK + word,
  );
  const bpe = trainBpe(words, {
    reserved: [...LLAMA_TOKENS.pieces, ...bytes],
    alphabet: [SPACE_MARK, ...[...letters].sort()],
    vocabularySize,
  });
  return tokenizerFile(LLAMA_TOKENS, bpe, {
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: SPACE_MARK },
        { type: "Replace", pattern: { String: " " }, content: SPACE_MARK },
      ],
    },
    preTokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: SPACE_MARK }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    unknown: "<unk>",
    byteFallback: true,
  });
}

/**
 * Characters. A word's first letter is written together with the space before it, so that a word's end is a token's end
 * here as in the other kinds: otherwise nothing but the space could be learned from them at that place.
 */
export function makeCharacters(): TokenizerFile {
  const singles = [...PRINTABLE_ASCII.filter((character) => character !== " "), ...LATIN_1_LETTERS];
  const merges = singles
    .filter((character) => /[A-Za-z0-9]/.test(character))
    .map((character): [string, string] => [SPACE_MARK, character]);
  const bpe: TrainedBpe = {
    pieces: [...LLAMA_TOKENS.pieces, SPACE_MARK, ...singles, ...merges.map(([mark, letter]) => mark + letter)],
    merges,
  };
  const fromMark = { type: "Replace", pattern: { String: SPACE_MARK }, content: " " };
  return tokenizerFile(LLAMA_TOKENS, bpe, {
    normalizer: { type: "Replace", pattern: { String: " " }, content: SPACE_MARK },
    preTokenizer: null,
    decoder: { type: "Sequence", decoders: [fromMark, { type: "Fuse" }] },
    unknown: "<unk>",
    byteFallback: false,
  });
}

/** GPT-2's printable stand-ins for the 256 bytes, by byte. */
function byteSymbols(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCharCode(printable ? byte : next++);
  });
}

function countWords(
  texts: readonly string[],
  cut: (text: string) => readonly string[],
  spell: (word: string) => string,
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts)
    for (const word of cut(text)) {
      const spelled = spell(word);
      counts.set(spelled, (counts.get(spelled) ?? 0) + 1);
    }
  return counts;
}

interface Pipeline {
  normalizer: object | null;
  preTokenizer: object | null;
  decoder: object;
  unknown: string | null;
  byteFallback: boolean;
}

function tokenizerFile(special: SpecialTokens, bpe: TrainedBpe, pipeline: Pipeline): TokenizerFile {
  const { pieces, beginning, end, writesBeginning } = special;
  const bosId = pieces.indexOf(beginning);
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: pieces.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: pipeline.normalizer,
    pre_tokenizer: pipeline.preTokenizer,
    post_processor: writesBeginning ? templateBeginningWith(beginning, bosId) : null,
    decoder: pipeline.decoder,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: pipeline.unknown,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: pipeline.unknown !== null,
      byte_fallback: pipeline.byteFallback,
      ignore_merges: false,
      vocab: Object.fromEntries(bpe.pieces.map((piece, id) => [piece, id])),
      merges: bpe.merges,
    },
  };
  return { json, vocabularySize: bpe.pieces.length, bosId, eosId: pieces.indexOf(end) };
}

function templateBeginningWith(beginning: string, id: number): object {
  const first = { SpecialToken: { id: beginning, type_id: 0 } };
  const text = (name: string) => ({ Sequence: { id: name, type_id: 0 } });
  return {
    type: "TemplateProcessing",
    single: [first, text("A")],
    pair: [first, text("A"), first, text("B")],
    special_tokens: { [beginning]: { id: beginning, ids: [id], tokens: [beginning] } },
  };
}
