import type { Vocabulary } from "../../ports/tokenizer.ts";
import { bytesOfByteLevelToken } from "./byte-level-alphabet.ts";
import type { JsonObject } from "./parse-json-object.ts";
import { findRoles } from "./roles.ts";
import type { TokenizerDefinition } from "./tokenizer-definition.ts";

/** A text as words: normalised, and split. */
export type SplitWords = (text: string) => string[];

/**
 * Every token's bytes by id. "▁" is a space, `<0x0A>` its byte where the model falls back to bytes, GPT-2's characters are
 * their bytes. WordPiece's tokens stand for what they cover in a text: "##ing" for "ing", "play", which begins a word, for " play",
 * and what is parted from words without white space between (punctuation, Chinese characters) for itself. Special tokens, and ids that
 * no token has, are null; an added token that is not special is text and has its content's bytes. A role's token is special where its
 * content is written like one (`<s>`, `[PAD]`), listed or not.
 *
 * @param splitWords - normalizer and pre-tokenizer
 */
export function buildVocabulary(
  definition: TokenizerDefinition,
  config: JsonObject,
  splitWords: SplitWords,
  what: string,
): Vocabulary {
  const tokens: (Uint8Array | null)[] = new Array(definition.size).fill(null);
  const strings: (string | null)[] = new Array(definition.size).fill(null);
  const words = definition.kind === "WordPiece" ? new WordTokens(definition, splitWords) : null;
  for (const [token, id] of definition.vocabulary) {
    strings[id] = token;
    tokens[id] = words === null ? bytesOfToken(token, definition) : utf8(words.textOf(token));
  }
  for (const { id, content, special } of definition.added) {
    strings[id] = content;
    tokens[id] = special ? null : utf8(definition.mark === null ? content : content.replaceAll(definition.mark, " "));
  }
  const roles = findRoles(definition, strings, config, what);
  for (const id of Object.values(roles))
    if (id !== null && /^(<.*>|\[.*\])$/su.test(strings[id] ?? "") && !definition.isByteToken(strings[id]!))
      tokens[id] = null;
  if (roles.unknown !== null) tokens[roles.unknown] = null;
  return { tokens, strings, roles, unwritten: findUnwritten(tokens, strings, definition, words) };
}

/**
 * Where several tokens stand for the same bytes, the tokenizer writes one: an added token is looked for first, a byte token
 * only stands in for characters that have no token, and a plain space is never met where all are written as marks. WordPiece never writes
 * what its pre-tokenizer parts.
 */
function findUnwritten(
  tokens: readonly (Uint8Array | null)[],
  strings: readonly (string | null)[],
  definition: TokenizerDefinition,
  words: WordTokens | null,
): Set<number> {
  const added = new Set(definition.added.map((token) => token.id));
  const rank = (id: number) => {
    if (added.has(id)) return 0;
    if (definition.mark !== null && strings[id]!.includes(" ")) return 3;
    return definition.isByteToken(strings[id]!) ? 2 : 1;
  };
  const writtenOf = new Map<string, number>();
  const unwritten = new Set<number>();
  tokens.forEach((bytes, id) => {
    if (bytes === null) return;
    if (words !== null && !added.has(id) && words.isParted(strings[id]!)) {
      unwritten.add(id);
      return;
    }
    const key = bytes.join();
    const other = writtenOf.get(key);
    if (other !== undefined && rank(other) <= rank(id)) unwritten.add(id);
    else {
      if (other !== undefined) unwritten.add(other);
      writtenOf.set(key, id);
    }
  });
  return unwritten;
}

/** WordPiece's tokens as text. */
class WordTokens {
  readonly #prefix: string;
  readonly #splitWords: SplitWords;
  readonly #parting = new Map<string, boolean>();

  constructor({ continuingPrefix }: TokenizerDefinition, splitWords: SplitWords) {
    this.#prefix = continuingPrefix;
    this.#splitWords = splitWords;
  }

  textOf(token: string): string {
    const rest = this.#continuation(token);
    if (rest !== null) return rest;
    return this.#hasParting(token) && this.#splitWords(`a${token}a`)[0] === "a" ? token : ` ${token}`;
  }

  /** Whether no word has the token in it, since its characters are parted. */
  isParted(token: string): boolean {
    const rest = this.#continuation(token);
    if (!this.#hasParting(rest ?? token)) return false;
    return this.#splitWords(rest === null ? token : `a${rest}`).length !== 1;
  }

  #continuation(token: string): string | null {
    return token.length > this.#prefix.length && token.startsWith(this.#prefix)
      ? token.slice(this.#prefix.length)
      : null;
  }

  /** Few characters part words, and most tokens have none of them. */
  #hasParting(token: string): boolean {
    for (const character of token) {
      let parting = this.#parting.get(character);
      if (parting === undefined) {
        parting = this.#splitWords(`a${character}a`).length > 1;
        this.#parting.set(character, parting);
      }
      if (parting) return true;
    }
    return false;
  }
}

function bytesOfToken(token: string, definition: TokenizerDefinition): Uint8Array {
  if (definition.alphabet === "byte-level") return bytesOfByteLevelToken(token) ?? utf8(token);
  if (definition.isByteToken(token)) return Uint8Array.of(Number.parseInt(token.slice(3, 5), 16));
  return utf8(definition.mark === null ? token : token.replaceAll(definition.mark, " "));
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
