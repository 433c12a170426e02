import { InvalidInputError } from "../core/errors.ts";
import { describeValue } from "./describe-value.ts";
import { parseWholeJson } from "./whole-json.ts";

/** Longest tokenizer_config.json; those with a thousand added tokens have 200 KB. */
export const MAX_TOKENIZER_CONFIG_BYTES = 8 * 1024 * 1024;
const MAX_DEPTH = 32;
const ROLES = ["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"];

/** What a tokenizer_config.json says of a chat. */
export interface ChatTemplateConfig {
  /** Jinja; null: it stands in chat_template.jinja beside the file */
  template: string | null;
  /** texts of special tokens by the names that templates call them by: bos_token, eos_token, … */
  names: Record<string, string>;
  /** texts of all special tokens, none empty, each once */
  special: string[];
}

/**
 * Reads the chat template and the special tokens of a Hugging Face tokenizer_config.json.
 * @param what - the file as errors name it
 * @throws InvalidInputError `CHAT_TEMPLATE_INVALID`
 */
export function parseChatTemplateConfig(bytes: Uint8Array, what: string): ChatTemplateConfig {
  const refuse = (reason: string) => new InvalidInputError("CHAT_TEMPLATE_INVALID", `${what}: ${reason}`);
  const config = parseObject(bytes, refuse);
  const names: Record<string, string> = {};
  for (const role of ROLES) {
    const text = textOf(config[role]);
    if (text !== null) names[role] = text;
  }
  const added = isObject(config.added_tokens_decoder) ? Object.values(config.added_tokens_decoder) : [];
  const more = [config.additional_special_tokens, config.extra_special_tokens].flatMap((value) =>
    isObject(value) ? Object.values(value) : Array.isArray(value) ? value : [],
  );
  const special = [
    ...Object.values(names),
    ...added.filter((token) => isObject(token) && token.special === true).map(textOf),
    ...more.map(textOf),
  ].filter((text) => text !== null && text !== "");
  return { template: templateOf(config.chat_template, refuse), names, special: [...new Set(special as string[])] };
}

function templateOf(value: unknown, refuse: (reason: string) => InvalidInputError): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return value;
  const named = Array.isArray(value) ? value.find((one) => isObject(one) && one.name === "default") : undefined;
  if (named === undefined || typeof named.template !== "string")
    throw refuse(`chat_template: expected text, or a list with a template named default, got ${describeValue(value)}`);
  return named.template;
}

/** A token is its text, or an object with it. */
function textOf(token: unknown): string | null {
  const text = isObject(token) ? token.content : token;
  return typeof text === "string" ? text : null;
}

function parseObject(bytes: Uint8Array, refuse: (reason: string) => InvalidInputError): Record<string, unknown> {
  const value = parseWholeJson(bytes, MAX_DEPTH, refuse);
  if (!isObject(value)) throw refuse(`expected an object, got ${describeValue(value)}`);
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
