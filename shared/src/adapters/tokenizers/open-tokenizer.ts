import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { InvalidInputError } from "../../core/errors.ts";
import { sha256 } from "../../formats/sha256.ts";
import type { Tokenizer } from "../../ports/tokenizer.ts";
import { layTokens } from "./lay-tokens.ts";
import { type JsonObject, parseJsonObject } from "./parse-json-object.ts";
import { parseTokenizerDefinition, type TokenizerDefinition } from "./tokenizer-definition.ts";
import { buildVocabulary } from "./vocabulary.ts";

/** A config.json has a few kilobytes. */
const MAX_CONFIG_BYTES = 1024 * 1024;

/**
 * A Hugging Face tokenizer with exact byte positions. Ids come from `@huggingface/tokenizers`; since it gives no offsets,
 * each token's end is found by laying the tokens' bytes over the text's, and the result is checked to the last byte.
 *
 * A text is text: what looks like a special token in it (`</s>`) is written with ordinary tokens, never read as one, so that
 * no data can end a sample or open one. Added tokens that are not special (runs of spaces) are used as the tokenizer does.
 * A text whose characters the tokenizer changes (Unicode normalisation) or cannot write is refused, not bent.
 *
 * @param tokenizerJson - tokenizer.json
 * @param configJson - the model's config.json, for the ids of BOS, EOS and padding
 * @param what - names party and file in errors, such as `client harbour: models/a/tokenizer.json`
 * @throws InvalidInputError `FILE_TOO_LARGE`, `INVALID_JSON`, `INVALID_TOKENIZER`, `INVALID_MODEL_CONFIG`,
 *   `TOKENIZER_UNSUPPORTED`
 */
export function openTokenizer(tokenizerJson: Uint8Array, configJson: Uint8Array, what: string): Tokenizer {
  const definition = parseTokenizerDefinition(tokenizerJson, what);
  const config = parseJsonObject(configJson, MAX_CONFIG_BYTES, `${what}, its model's config.json`);
  const vocabulary = buildVocabulary(definition, config, what);
  const inner = openInner(definition, what);
  const { tokens } = vocabulary;

  return {
    hash: sha256(tokenizerJson),
    vocabulary,
    encode(text) {
      if (!text.isWellFormed())
        throw unrepresentable(what, 0, "expected well-formed Unicode, got half a surrogate pair");
      const ids = Int32Array.from(text === "" ? [] : inner.encode(text, { add_special_tokens: false }).ids);
      const space = addsSpace(text, definition);
      const written = new TextEncoder().encode((space ? " " : "") + withSpaces(text, definition.mark));
      const special = ids.findIndex((id) => tokens[id] === null && id !== vocabulary.roles.unknown);
      if (special >= 0) throw unrepresentable(what, 0, `token ${special + 1} of its writing is a special token`);
      const laid = layTokens(
        written,
        Array.from(ids, (id) => tokens[id]),
        definition.fuseUnknown,
      );
      const toText = textOffsets(text, space, definition.mark);
      if ("misfit" in laid)
        throw unrepresentable(what, Math.max(0, toText(laid.misfit.byte)), misfitReason(laid.misfit.token));
      return { ids, ends: laid.ends.map(toText), startEnd: space ? -1 : 0 };
    },
    decode(ids) {
      const pieces = Array.from(ids, (id) => tokens[id]).filter((piece) => piece !== null && piece !== undefined);
      const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
      let position = 0;
      for (const piece of pieces) {
        bytes.set(piece, position);
        position += piece.length;
      }
      const text = new TextDecoder().decode(bytes);
      return definition.addedSpace !== "never" && text.startsWith(" ") ? text.slice(1) : text;
    },
  };
}

/** The library's tokenizer without what reads special tokens in a text or adds them to it. */
function openInner(definition: TokenizerDefinition, what: string): HuggingFaceTokenizer {
  const vocab = Object.fromEntries(definition.vocabulary);
  // The unknown token must keep its id even where only added_tokens lists it.
  for (const { content, id, special } of definition.added) if (special) vocab[content] = id;
  try {
    return new HuggingFaceTokenizer(
      {
        added_tokens: definition.added.filter((token) => !token.special),
        normalizer: definition.normalizer,
        pre_tokenizer: splitAtMarks(definition.preTokenizer),
        model: { ...definition.model, type: "BPE", vocab },
        post_processor: null,
        decoder: null,
      },
      {},
    );
  } catch (error) {
    throw new InvalidInputError("INVALID_TOKENIZER", `${what}: ${(error as Error).message}`);
  }
}

/** Metaspace splits before each mark unless told not to, which the library leaves out: the split is put after it. */
function splitAtMarks(step: JsonObject | null): JsonObject | null {
  if (step?.type === "Sequence")
    return { ...step, pretokenizers: (step.pretokenizers as JsonObject[]).map(splitAtMarks) };
  if (step?.type !== "Metaspace" || step.split === false) return step;
  const mark = String(step.replacement ?? "▁");
  const pattern = { Regex: `${mark}[^${mark}]*|[^${mark}]+` };
  return { type: "Sequence", pretokenizers: [step, { type: "Split", pattern, behavior: "Isolated", invert: false }] };
}

function addsSpace(text: string, { addedSpace, mark }: TokenizerDefinition): boolean {
  if (text === "" || addedSpace === "never") return false;
  return addedSpace === "always" || !(text.startsWith(" ") || (mark !== null && text.startsWith(mark)));
}

/** A mark that stands in the text itself is written by the same token as a space. */
function withSpaces(text: string, mark: string | null): string {
  return mark === null ? text : text.replaceAll(mark, " ");
}

/** @returns offsets in the written bytes (added space, marks as spaces) → offsets in the text's own UTF-8 bytes */
function textOffsets(text: string, space: boolean, mark: string | null): (offset: number) => number {
  const shift = space ? 1 : 0;
  if (mark === null || !text.includes(mark)) return (offset) => offset - shift;
  const ends: number[] = [];
  let position = 0;
  for (const character of text) {
    const bytes = new TextEncoder().encode(character).length;
    position += bytes;
    if (character === mark) ends.push(position);
    else for (let left = bytes - 1; left >= 0; left--) ends.push(position - left);
  }
  return (offset) => (offset - shift <= 0 ? offset - shift : ends[offset - shift - 1]);
}

function misfitReason(token: number): string {
  if (token < 0) return "it has no token for what follows";
  return `token ${token + 1} of its writing has other bytes (the tokenizer normalises the text, or lacks one of its bytes)`;
}

/** Says where the text fails, never what stands there: it may be private. */
function unrepresentable(what: string, byte: number, reason: string): InvalidInputError {
  return new InvalidInputError(
    "UNREPRESENTABLE_TEXT",
    `${what}: the text cannot be written in this tokenizer's tokens from byte ${byte} on: ${reason}`,
  );
}
