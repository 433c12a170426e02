import { MAX_VOCABULARY } from "../../core/model-limits.ts";
import { isJsonObject, type JsonObject, parseJsonObject } from "./parse-json-object.ts";
import { invalid, unsupported } from "./tokenizer-errors.ts";

/** The largest tokenizer.json seen (250,000 tokens with merges) has 17 MB. */
export const MAX_TOKENIZER_BYTES = 64 * 1024 * 1024;

const BYTE_TOKEN = /^<0x[0-9A-F]{2}>$/;

export interface AddedToken {
  id: number;
  content: string;
  special: boolean;
  /** whether it is looked for in the normalised text */
  normalized: boolean;
  singleWord: boolean;
  stripsLeft: boolean;
  stripsRight: boolean;
}

/** tokenizer.json, checked as far as byte positions and roles depend on it. */
export interface TokenizerDefinition {
  kind: "BPE" | "WordPiece" | "Unigram";
  /** model.vocab */
  vocabulary: ReadonlyMap<string, number>;
  added: readonly AddedToken[];
  model: JsonObject;
  /** the normalizer's steps, sequences taken apart */
  normalizers: readonly JsonObject[];
  preTokenizers: readonly JsonObject[];
  postProcessor: JsonObject | null;
  /** highest id + 1 */
  size: number;
  /** how a token's string becomes bytes: GPT-2's alphabet, or characters with `mark` for the space */
  alphabet: "byte-level" | "characters";
  /** SentencePiece's "▁", where the tokenizer writes it for a space */
  mark: string | null;
  byteFallback: boolean;
  isByteToken(token: string): boolean;
  unknownToken: string | null;
  fuseUnknown: boolean;
  /** WordPiece's "##", before what goes on with a word */
  continuingPrefix: string;
  /** whether the token that begins a text may stand for a space more than the text has */
  addsSpace: boolean;
}

/**
 * Reads tokenizer.json: BPE over bytes (GPT-2), over characters with or without byte fallback (SentencePiece's exports), single
 * characters (BPE without merges), WordPiece and Unigram.
 *
 * @param what - names party and file in errors
 * @throws InvalidInputError `TOKENIZER_UNSUPPORTED` where a token's string does not say what it stands for; `INVALID_TOKENIZER`
 */
export function parseTokenizerDefinition(bytes: Uint8Array, what: string): TokenizerDefinition {
  const json = parseJsonObject(bytes, MAX_TOKENIZER_BYTES, what);
  const model = json.model;
  if (!isJsonObject(model)) throw invalid(what, 'expected an object "model"');
  const kind = kindOf(model, what);
  const vocabulary = kind === "Unigram" ? parsePieces(model, what) : parseVocabulary(model.vocab, what);
  if (kind === "BPE") requireMerges(model.merges, what);
  const added = parseAdded(json.added_tokens ?? [], what);
  const normalizers = flatten(json.normalizer, "normalizers", "normalizer", what);
  const preTokenizers = flatten(json.pre_tokenizer, "pretokenizers", "pre_tokenizer", what);

  const byteLevel = preTokenizers.find((step) => step.type === "ByteLevel");
  const metaspace = preTokenizers.find((step) => step.type === "Metaspace");
  let mark = metaspace === undefined ? null : String(metaspace.replacement ?? "▁");
  for (const step of normalizers) {
    const pattern = isJsonObject(step.pattern) ? step.pattern.String : undefined;
    if (step.type === "Replace" && pattern === " " && typeof step.content === "string" && step.content.length === 1)
      mark = step.content;
  }
  for (const step of normalizers)
    if (step.type === "Prepend" && step.prepend !== mark && step.prepend !== " ")
      throw unsupported(what, `normalizer ${JSON.stringify(step)}`);
  if (byteLevel !== undefined && (mark !== null || kind !== "BPE"))
    throw unsupported(
      what,
      `bytes as characters in a ${kind} model${mark === null ? "" : " with a mark for the space"}`,
    );

  let size = 0;
  for (const id of vocabulary.values()) size = Math.max(size, id + 1);
  for (const token of added) size = Math.max(size, token.id + 1);
  const byteFallback = model.byte_fallback === true;
  return {
    kind,
    vocabulary,
    added,
    model,
    normalizers,
    preTokenizers,
    postProcessor: isJsonObject(json.post_processor) ? json.post_processor : null,
    size,
    alphabet: byteLevel === undefined ? "characters" : "byte-level",
    mark,
    byteFallback,
    isByteToken: (token) => byteFallback && BYTE_TOKEN.test(token),
    unknownToken: unknownToken(model, kind),
    fuseUnknown: kind === "Unigram" || model.fuse_unk === true,
    continuingPrefix: typeof model.continuing_subword_prefix === "string" ? model.continuing_subword_prefix : "##",
    addsSpace:
      kind === "WordPiece" ||
      byteLevel?.add_prefix_space === true ||
      // Older files say add_prefix_space; newer ones prepend_scheme, whose default is "always".
      (metaspace !== undefined && metaspace.add_prefix_space !== false && metaspace.prepend_scheme !== "never") ||
      normalizers.some((step) => step.type === "Prepend"),
  };
}

/** Older files leave model.type out; then a list is Unigram, merges are BPE, and a continuing prefix is WordPiece. */
function kindOf(model: JsonObject, what: string): TokenizerDefinition["kind"] {
  const guessed = Array.isArray(model.vocab) ? "Unigram" : "merges" in model ? "BPE" : "WordPiece";
  const type = typeof model.type === "string" ? model.type : guessed;
  if (type !== "BPE" && type !== "WordPiece" && type !== "Unigram") throw unsupported(what, `a ${type} model`);
  if (type === "BPE")
    for (const field of ["continuing_subword_prefix", "end_of_word_suffix"])
      if (model[field] !== undefined && model[field] !== null && model[field] !== "")
        throw unsupported(what, `a BPE model with ${field} ${JSON.stringify(model[field])}`);
  return type;
}

function unknownToken(model: JsonObject, kind: TokenizerDefinition["kind"]): string | null {
  if (kind === "Unigram") return (model.vocab as [string, number][])[Number(model.unk_id ?? -1)]?.[0] ?? null;
  return typeof model.unk_token === "string" ? model.unk_token : null;
}

/** Unigram's list of pieces and scores; a piece's id is its place. */
function parsePieces(model: JsonObject, what: string): Map<string, number> {
  const { vocab, unk_id: unknown } = model;
  if (!Array.isArray(vocab) || vocab.length === 0 || vocab.length > MAX_VOCABULARY)
    throw invalid(what, `expected a list of 1 to ${MAX_VOCABULARY} pieces in "model.vocab"`);
  const vocabulary = new Map<string, number>();
  for (const [id, entry] of vocab.entries()) {
    const [piece, score] = Array.isArray(entry) ? entry : [];
    if (typeof piece !== "string" || piece === "" || typeof score !== "number")
      throw invalid(what, `expected model.vocab[${id}] to be a piece and its score, got ${JSON.stringify(entry)}`);
    const other = vocabulary.get(piece);
    if (other !== undefined) throw invalid(what, `the piece ${JSON.stringify(piece)} has two ids, ${other} and ${id}`);
    vocabulary.set(piece, id);
  }
  if (unknown !== undefined && unknown !== null && !(Number.isInteger(unknown) && (unknown as number) in vocab))
    throw invalid(
      what,
      `expected model.unk_id to be one of ${vocab.length} pieces' ids, got ${JSON.stringify(unknown)}`,
    );
  return vocabulary;
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
    const special = token.special === true;
    return {
      id: token.id,
      content: token.content,
      special,
      normalized: typeof token.normalized === "boolean" ? token.normalized : !special,
      singleWord: token.single_word === true,
      stripsLeft: token.lstrip === true,
      stripsRight: token.rstrip === true,
    };
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
