import { InvalidInputError } from "../../core/errors.ts";
import type { Vocabulary } from "../../ports/tokenizer.ts";
import { isJsonObject, type JsonObject } from "./parse-json-object.ts";
import type { TokenizerDefinition } from "./tokenizer-definition.ts";

/** What tokenizers usually call them, most usual first; only special tokens and tokens that are never split are looked at. */
const USUAL = {
  bos: ["<s>", "<bos>", "<|begin_of_text|>", "<|startoftext|>", "[BOS]"],
  eos: ["</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>", "<|im_end|>", "[EOS]"],
  unknown: ["<unk>", "[UNK]", "<|unk|>"],
  pad: ["<pad>", "[PAD]", "<|padding|>", "<|pad|>"],
} as const;

/**
 * Which token opens a text, ends it, stands for what cannot be written, fills up.
 *
 * Looked for in this order: config.json (`bos_token_id`, `eos_token_id`, `pad_token_id`; the first of a list), the
 * model's unknown token, the first and last token of the post-processor's template, the usual contents.
 *
 * @param contents - [V] token strings by id
 * @throws InvalidInputError `INVALID_MODEL_CONFIG` where config.json names an id that the tokenizer has not
 */
export function findRoles(
  definition: TokenizerDefinition,
  contents: readonly (string | null)[],
  config: JsonObject,
  what: string,
): Vocabulary["roles"] {
  const idOf = (content: string | null | undefined): number | null => {
    if (content === null || content === undefined) return null;
    return (
      definition.added.find((token) => token.content === content)?.id ?? definition.vocabulary.get(content) ?? null
    );
  };
  const usual = (role: keyof typeof USUAL): number | null => {
    for (const content of USUAL[role]) if (idOf(content) !== null) return idOf(content);
    return null;
  };
  const named = (field: string): number | null => {
    const value = Array.isArray(config[field]) ? (config[field] as unknown[])[0] : config[field];
    if (value === null || value === undefined) return null;
    // Padding ids of −1 and ids in a model's unused rows are common: a pad that the tokenizer has not is no pad.
    const known =
      Number.isInteger(value) && contents[value as number] !== undefined && contents[value as number] !== null;
    if (known) return value as number;
    if (field === "pad_token_id") return null;
    throw new InvalidInputError(
      "INVALID_MODEL_CONFIG",
      `${what}: config.json's ${field} is ${JSON.stringify(value)}, expected an id of the tokenizer's ${contents.length} tokens`,
    );
  };
  const template = templateEnds(definition.postProcessor);
  return {
    bos: named("bos_token_id") ?? idOf(template.first) ?? usual("bos"),
    eos: named("eos_token_id") ?? idOf(template.last) ?? usual("eos"),
    unknown: idOf(definition.unknownToken) ?? usual("unknown"),
    pad: named("pad_token_id") ?? usual("pad"),
  };
}

/** The special tokens before and after a single text: those of a template, or BERT's and RoBERTa's two. */
function templateEnds(postProcessor: JsonObject | null): { first: string | null; last: string | null } {
  const none = { first: null, last: null };
  if (postProcessor?.type === "BertProcessing" || postProcessor?.type === "RobertaProcessing") {
    const nameOf = (pair: unknown) => (Array.isArray(pair) && typeof pair[0] === "string" ? pair[0] : null);
    return { first: nameOf(postProcessor.cls), last: nameOf(postProcessor.sep) };
  }
  if (postProcessor?.type === "Sequence" && Array.isArray(postProcessor.processors)) {
    const inner = postProcessor.processors.find((step) => isJsonObject(step) && step.type !== "ByteLevel");
    return inner === undefined ? none : templateEnds(inner as JsonObject);
  }
  if (postProcessor?.type !== "TemplateProcessing" || !Array.isArray(postProcessor.single)) return none;
  const specials = postProcessor.single.map((piece: unknown) =>
    isJsonObject(piece) && isJsonObject(piece.SpecialToken) ? String(piece.SpecialToken.id) : null,
  );
  return { first: specials[0] ?? null, last: specials.length > 1 ? (specials.at(-1) ?? null) : null };
}
