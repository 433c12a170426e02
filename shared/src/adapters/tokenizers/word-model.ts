import { byteLevelOf } from "./byte-level-alphabet.ts";
import { createLibraryModel } from "./library-parts.ts";
import type { TokenizerDefinition } from "./tokenizer-definition.ts";

/** A word in tokens. */
export interface WrittenWord {
  /** −1: no token stands for these characters, and the model has no unknown token */
  ids: readonly number[];
  /** for each token the UTF-8 byte of the word at which it ends */
  ends: readonly number[];
}

export type WriteWord = (word: string) => WrittenWord;

/** Words that are remembered, and how long one may be: text repeats itself. */
const MAX_REMEMBERED = 1 << 16;
const LONGEST_REMEMBERED = 48;

/**
 * The model's way of writing a word, by `@huggingface/tokenizers`. No special token is ever written: what looks like one is text.
 *
 * @param ordinary - the tokens that words may be written with
 * @param unknown - the unknown token's id; null where there is none
 */
export function createWordModel(
  definition: TokenizerDefinition,
  ordinary: ReadonlyMap<string, number>,
  unknown: number | null,
  what: string,
): WriteWord {
  return remember(createModel(definition, ordinary, unknown, what));
}

function remember<T>(write: (word: string) => T): (word: string) => T {
  const remembered = new Map<string, T>();
  return (word) => {
    const known = remembered.get(word);
    if (known !== undefined) return known;
    const written = write(word);
    if (word.length > LONGEST_REMEMBERED) return written;
    if (remembered.size === MAX_REMEMBERED) remembered.clear();
    remembered.set(word, written);
    return written;
  };
}

function createModel(
  definition: TokenizerDefinition,
  ordinary: ReadonlyMap<string, number>,
  unknown: number | null,
  what: string,
): WriteWord {
  switch (definition.kind) {
    case "BPE":
      return createBpe(definition, ordinary, unknown, what);
    case "WordPiece":
      return createWordPiece(definition, ordinary, unknown, what);
    case "Unigram":
      return createUnigram(definition, ordinary, unknown, what);
  }
}

function createBpe(
  definition: TokenizerDefinition,
  ordinary: ReadonlyMap<string, number>,
  unknown: number | null,
  what: string,
): WriteWord {
  const { model, alphabet, mark } = definition;
  // The library looks up no token itself here, so that it needs no vocabulary.
  const bpe = createLibraryModel({ ...model, type: "BPE", vocab: {} }, what);
  const whole = model.ignore_merges === true;
  const merge = mergesBeforeMarks(definition)
    ? partly(new RegExp(`[${mark}]*[^${mark}]+|[${mark}]+`, "gu"), (part) => bpe.bpe(part))
    : (word: string) => bpe.bpe(word);
  return (word) => {
    const letters = alphabet === "byte-level" ? byteLevelOf(word) : word;
    return nameTokens(whole && ordinary.has(letters) ? [letters] : merge(letters), definition, ordinary, unknown);
  };
}

/**
 * Whether nothing is ever merged across the place before a mark. Then SentencePiece's words, which are whole texts, may be merged part by
 * part, and parts that are remembered need not be merged again.
 */
function mergesBeforeMarks({ mark, model }: TokenizerDefinition): boolean {
  if (mark === null || !/^[^\\^\]-]$/u.test(mark)) return false;
  const across = new RegExp(`[^${mark}]${mark}`, "u");
  return !(model.merges as (string | string[])[]).some((pair) =>
    across.test(typeof pair === "string" ? pair.replace(" ", "") : pair.join("")),
  );
}

function partly(part: RegExp, merge: (part: string) => string[]): (word: string) => string[] {
  const remembered = remember(merge);
  return (word) => (word.match(part) ?? []).flatMap(remembered);
}

function createUnigram(
  definition: TokenizerDefinition,
  ordinary: ReadonlyMap<string, number>,
  unknown: number | null,
  what: string,
): WriteWord {
  const { model, vocabulary } = definition;
  const pieces = model.vocab as [string, number][];
  // Half a surrogate pair stands in no text: a piece with one is never found, and ids and scores stay as they are.
  const findable = ([piece, score]: [string, number]): [string, number] =>
    ordinary.has(piece) && !definition.isByteToken(piece) ? [piece, score] : [`\ud800${vocabulary.get(piece)}`, score];
  const unigram = createLibraryModel({ ...model, type: "Unigram", vocab: pieces.map(findable) }, what);
  return (word) => nameTokens(unigram.encode([word]), definition, ordinary, unknown);
}

/** Pieces as tokens: what has none is written in bytes where the model falls back to them and has them all, else as unknown. */
function nameTokens(
  pieces: readonly string[],
  { alphabet, byteFallback, fuseUnknown, vocabulary }: TokenizerDefinition,
  ordinary: ReadonlyMap<string, number>,
  unknown: number | null,
): WrittenWord {
  const ids: number[] = [];
  const ends: number[] = [];
  let end = 0;
  for (const piece of pieces) {
    const length = alphabet === "byte-level" ? piece.length : Buffer.byteLength(piece);
    const id = ordinary.get(piece);
    const bytes = id === undefined && byteFallback ? byteTokens(piece, vocabulary) : null;
    if (bytes !== null) {
      for (const byte of bytes) {
        ids.push(byte);
        ends.push(++end);
      }
      continue;
    }
    end += length;
    if (id === undefined && fuseUnknown && unknown !== null && ids.at(-1) === unknown) ends[ends.length - 1] = end;
    else {
      ids.push(id ?? unknown ?? -1);
      ends.push(end);
    }
  }
  return { ids, ends };
}

function byteTokens(piece: string, vocabulary: ReadonlyMap<string, number>): number[] | null {
  const ids: number[] = [];
  for (const byte of new TextEncoder().encode(piece)) {
    const id = vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
    if (id === undefined) return null;
    ids.push(id);
  }
  return ids;
}

function createWordPiece(
  { model, continuingPrefix }: TokenizerDefinition,
  ordinary: ReadonlyMap<string, number>,
  unknown: number | null,
  what: string,
): WriteWord {
  const vocab = Object.fromEntries(ordinary);
  const wordPiece = createLibraryModel(
    { ...model, type: "WordPiece", vocab, continuing_subword_prefix: continuingPrefix },
    what,
  );
  return (word) => {
    const tokens = wordPiece.encode([word]);
    const ids = tokens.map((token) => ordinary.get(token));
    // A word that is not wholly made of tokens is one unknown token.
    if (ids.includes(undefined)) return { ids: [unknown ?? -1], ends: [Buffer.byteLength(word)] };
    let end = 0;
    const ends = tokens.map((token, index) => {
      end += Buffer.byteLength(index === 0 ? token : token.slice(continuingPrefix.length));
      return end;
    });
    return { ids: ids as number[], ends };
  };
}
