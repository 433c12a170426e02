import type { NeutralFields } from "./read-request.ts";
import { MAX_NEUTRAL_TEXT } from "./request-limits.ts";

const isText = (value: unknown) => typeof value === "string" && value.length <= MAX_NEUTRAL_TEXT;
const is =
  (...values: readonly unknown[]) =>
  (value: unknown) =>
    values.includes(value);
const isEmpty = (value: unknown) => typeof value === "object" && value !== null && Object.keys(value).length === 0;
const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
const never = () => false;

/** Of both kinds of request. */
const EITHER: NeutralFields = {
  user: isText,
};

/** OpenAI's fields of chats that the engine lacks, by its API reference of 2026. */
export const NEUTRAL_OF_CHATS: NeutralFields = {
  ...EITHER,
  audio: never,
  function_call: is("none"),
  functions: isEmpty,
  metadata: isObject,
  modalities: (value) => Array.isArray(value) && value.length === 1 && value[0] === "text",
  moderation: never,
  parallel_tool_calls: is(true, false),
  prediction: never,
  prompt_cache_key: isText,
  prompt_cache_options: isObject,
  prompt_cache_retention: isText,
  reasoning_effort: is("none"),
  response_format: (value) =>
    isObject(value) && (value as { type?: unknown }).type === "text" && Object.keys(value as object).length === 1,
  safety_identifier: isText,
  service_tier: is("auto", "default"),
  store: is(false),
  tool_choice: is("none"),
  tools: isEmpty,
  verbosity: is("medium"),
  web_search_options: never,
};

/** Fields of chats alone, such as `tools`, are unknown here, whatever they ask for: so they are to OpenAI ("Unrecognized request argument"). */
export const NEUTRAL_OF_COMPLETIONS: NeutralFields = {
  ...EITHER,
  best_of: is(1),
  suffix: is(""),
};
