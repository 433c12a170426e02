import { Tokenizer } from "@huggingface/tokenizers";
import { isJsonObject, type JsonObject } from "./parse-json-object.ts";
import { invalid, unsupported } from "./tokenizer-errors.ts";

/** A model of the library: what it makes of a word. */
export interface LibraryModel {
  /** @returns the word's tokens; where it has none, its own writing or the unknown token */
  encode(words: string[]): string[];
  /** BPE alone: the word's pieces, whether or not they are tokens */
  bpe(word: string): string[];
}

/** The library's tokenizer is only the way to its parts, which its types do not name. */
interface LibraryTokenizer {
  model: LibraryModel;
  pre_tokenizer: { pattern: RegExp };
}

/** @param model - model of a tokenizer.json, its type named */
export function createLibraryModel(model: JsonObject, what: string): LibraryModel {
  try {
    return open(model, null).model;
  } catch (error) {
    throw invalid(what, (error as Error).message);
  }
}

/**
 * A step's pattern as a JavaScript expression: the library translates Oniguruma's dialect.
 *
 * @param pattern - `{"String": …}` or `{"Regex": …}`
 * @throws InvalidInputError `INVALID_TOKENIZER`, `TOKENIZER_UNSUPPORTED`
 */
export function compilePattern(pattern: unknown, what: string): RegExp {
  if (!isJsonObject(pattern) || (typeof pattern.String !== "string" && typeof pattern.Regex !== "string"))
    throw invalid(what, `expected a pattern with String or Regex, got ${JSON.stringify(pattern)}`);
  try {
    const nothing = { type: "WordPiece", vocab: {}, unk_token: "" };
    return open(nothing, { type: "Split", pattern, behavior: "Isolated", invert: false }).pre_tokenizer.pattern;
  } catch (error) {
    throw unsupported(what, `the pattern ${JSON.stringify(pattern)} (${(error as Error).message})`);
  }
}

function open(model: JsonObject, preTokenizer: JsonObject | null): LibraryTokenizer {
  const parts = {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: preTokenizer,
    post_processor: null,
    decoder: null,
  };
  return new Tokenizer({ ...parts, model }, {}) as unknown as LibraryTokenizer;
}
