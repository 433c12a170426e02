import { InvalidInputError } from "../../core/errors.ts";
import { MAX_VOCABULARY } from "../../core/model-limits.ts";
import { isJsonObject, type JsonObject, parseJsonObject } from "./parse-json-object.ts";

/** The largest tokenizer.json seen (250,000 tokens with merges) has 17 MB. */
export const MAX_TOKENIZER_BYTES = 64 * 1024 * 1024;

export interface AddedToken {
  id: number;
  content: string;
  special: boolean;
}

/** tokenizer.json, checked as far as byte positions and roles depend on it. */
export interface TokenizerDefinition {
  /** model.vocab */
  vocabulary: ReadonlyMap<string, number>;
  added: readonly AddedToken[];
  model: JsonObject;
  normalizer: JsonObject | null;
  preTokenizer: JsonObject | null;
  postProcessor: JsonObject | null;
  /** highest id + 1 */
  size: number;
  /** how a token's string becomes bytes: GPT-2's alphabet, or characters with `mark` for the space */
  alphabet: "byte-level" | "characters";
  /** SentencePiece's "▁", where the tokenizer writes it for a space */
  mark: string | null;
  byteFallback: boolean;
  unknownToken: string | null;
  fuseUnknown: boolean;
  /**
   * when the tokenizer writes a space before a text: never, always, or unless the text begins with one
   */
  addedSpace: "never" | "always" | "unless-space";
}

const UNICODE_NORMALIZERS = ["NFC", "NFKC", "NFD", "NFKD"];
const LOSSLESS_PRE_TOKENIZERS = ["ByteLevel", "Metaspace", "Split", "Digits", "Punctuation"];

/**
 * Reads tokenizer.json. Understood: BPE over bytes (GPT-2), over characters with or without byte fallback (SentencePiece's
 * exports), and single characters (BPE without merges).
 *
 * @param what - names party and file in errors
 * @throws InvalidInputError `TOKENIZER_UNSUPPORTED` for WordPiece, Unigram and steps that lose text; `INVALID_TOKENIZER`
 */
export function parseTokenizerDefinition(bytes: Uint8Array, what: string): TokenizerDefinition {
  const json = parseJsonObject(bytes, MAX_TOKENIZER_BYTES, what);
  const model = json.model;
  if (!isJsonObject(model)) throw invalid(what, 'expected an object "model"');
  requireBpe(model, what);
  const vocabulary = parseVocabulary(model.vocab, what);
  const added = parseAdded(json.added_tokens ?? [], what);
  requireMerges(model.merges, what);

  const normalizers = flatten(json.normalizer, "normalizers", "normalizer", what);
  const preTokenizers = flatten(json.pre_tokenizer, "pretokenizers", "pre_tokenizer", what);
  for (const step of preTokenizers)
    if (!LOSSLESS_PRE_TOKENIZERS.includes(step.type as string) || step.behavior === "Removed" || step.invert === true)
      throw unsupported(what, `pre-tokenizer ${JSON.stringify(step)}, which may drop text`);

  const byteLevel = preTokenizers.find((step) => step.type === "ByteLevel");
  const metaspace = preTokenizers.find((step) => step.type === "Metaspace");
  let mark = metaspace === undefined ? null : String(metaspace.replacement ?? "▁");
  let addedSpace: TokenizerDefinition["addedSpace"] = "never";
  if (byteLevel?.add_prefix_space === true) addedSpace = "unless-space";
  // Older files say add_prefix_space; newer ones prepend_scheme, whose default is "always".
  if (metaspace !== undefined && metaspace.add_prefix_space !== false && metaspace.prepend_scheme !== "never")
    addedSpace = "unless-space";

  for (const step of normalizers) {
    const pattern = isJsonObject(step.pattern) ? step.pattern.String : undefined;
    if (step.type === "Replace" && pattern === " " && typeof step.content === "string" && step.content.length === 1)
      mark = step.content;
    else if (step.type !== "Prepend" && !UNICODE_NORMALIZERS.includes(step.type as string))
      throw unsupported(what, `normalizer ${JSON.stringify(step)}`);
  }
  for (const step of normalizers)
    if (step.type === "Prepend") {
      if (step.prepend !== mark && step.prepend !== " ") throw unsupported(what, `normalizer ${JSON.stringify(step)}`);
      addedSpace = "always";
    }
  if (byteLevel !== undefined && mark !== null)
    throw unsupported(what, "bytes as characters together with a mark for the space");

  let size = 0;
  for (const id of vocabulary.values()) size = Math.max(size, id + 1);
  for (const token of added) size = Math.max(size, token.id + 1);
  return {
    vocabulary,
    added,
    model,
    normalizer: (json.normalizer ?? null) as JsonObject | null,
    preTokenizer: (json.pre_tokenizer ?? null) as JsonObject | null,
    postProcessor: isJsonObject(json.post_processor) ? json.post_processor : null,
    size,
    alphabet: byteLevel === undefined ? "characters" : "byte-level",
    mark,
    byteFallback: model.byte_fallback === true,
    unknownToken: typeof model.unk_token === "string" ? model.unk_token : null,
    fuseUnknown: model.fuse_unk === true,
    addedSpace,
  };
}

/** Older files leave model.type out; then a list is Unigram, merges are BPE, and a continuing prefix is WordPiece. */
function requireBpe(model: JsonObject, what: string): void {
  const guessed = Array.isArray(model.vocab) ? "Unigram" : "merges" in model ? "BPE" : "WordPiece";
  const type = typeof model.type === "string" ? model.type : guessed;
  if (type !== "BPE") throw unsupported(what, `a ${type} model`);
  for (const field of ["continuing_subword_prefix", "end_of_word_suffix"])
    if (model[field] !== undefined && model[field] !== null && model[field] !== "")
      throw unsupported(what, `a BPE model with ${field} ${JSON.stringify(model[field])}`);
}

function parseVocabulary(value: unknown, what: string): Map<string, number> {
  if (!isJsonObject(value)) throw invalid(what, 'expected an object "model.vocab"');
  const vocabulary = new Map<string, number>();
  const seen = new Map<number, string>();
  for (const [token, id] of Object.entries(value)) {
    requireId(id, `model.vocab[${JSON.stringify(token)}]`, what);
    const other = seen.get(id);
    if (other !== undefined)
      throw invalid(what, `id ${id} belongs to two tokens, ${JSON.stringify(other)} and ${JSON.stringify(token)}`);
    if (token === "") throw invalid(what, `token ${id} is empty`);
    seen.set(id, token);
    vocabulary.set(token, id);
  }
  if (vocabulary.size === 0) throw invalid(what, 'expected tokens in "model.vocab", got none');
  return vocabulary;
}

function parseAdded(value: unknown, what: string): AddedToken[] {
  if (!Array.isArray(value)) throw invalid(what, 'expected a list "added_tokens"');
  return value.map((token, index) => {
    const path = `added_tokens[${index}]`;
    if (!isJsonObject(token) || typeof token.content !== "string" || token.content === "")
      throw invalid(what, `expected ${path} to have a content`);
    requireId(token.id, `${path}.id`, what);
    return { id: token.id, content: token.content, special: token.special === true };
  });
}

function requireId(id: unknown, path: string, what: string): asserts id is number {
  if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= MAX_VOCABULARY)
    throw invalid(what, `expected ${path} to be an integer from 0 to ${MAX_VOCABULARY - 1}, got ${JSON.stringify(id)}`);
}

function requireMerges(merges: unknown, what: string): void {
  if (!Array.isArray(merges)) throw invalid(what, 'expected a list "model.merges"');
  for (let index = 0; index < merges.length; index++) {
    const merge = merges[index];
    const pair = typeof merge === "string" ? merge.split(" ") : merge;
    if (!Array.isArray(pair) || pair.length !== 2 || pair.some((part) => typeof part !== "string"))
      throw invalid(what, `expected model.merges[${index}] to be two tokens, got ${JSON.stringify(merge)}`);
    if (typeof merge !== typeof merges[0]) throw invalid(what, "expected model.merges in one form, got two");
  }
}

function flatten(value: unknown, children: string, path: string, what: string): JsonObject[] {
  if (value === null || value === undefined) return [];
  if (!isJsonObject(value) || typeof value.type !== "string") throw invalid(what, `expected "${path}" to have a type`);
  if (value.type !== "Sequence") return [value];
  const list = value[children];
  if (!Array.isArray(list)) throw invalid(what, `expected a list "${path}.${children}"`);
  return list.flatMap((step, index) => flatten(step, children, `${path}.${children}[${index}]`, what));
}

function unsupported(what: string, kind: string): InvalidInputError {
  return new InvalidInputError(
    "TOKENIZER_UNSUPPORTED",
    `${what}: expected byte-level BPE, SentencePiece-style BPE or characters, got ${kind}`,
  );
}

function invalid(what: string, message: string): InvalidInputError {
  return new InvalidInputError("INVALID_TOKENIZER", `${what}: ${message}`);
}
