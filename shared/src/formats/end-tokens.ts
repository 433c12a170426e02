import { InvalidInputError } from "../core/errors.ts";
import { describeValue } from "./describe-value.ts";
import { parseWholeJson } from "./whole-json.ts";

const MAX_DEPTH = 32;

/**
 * The tokens by which a model ends a text: `eos_token_id` of its config.json or generation_config.json, one id or several. An
 * instructed model ends a message with another token than a text, and often only generation_config.json names both.
 *
 * @param bytes - the file
 * @param what - the file as errors name it
 * @throws InvalidInputError `INVALID_MODEL_CONFIG`
 */
export function parseEndTokens(bytes: Uint8Array, what: string): number[] {
  const refuse = (reason: string) => new InvalidInputError("INVALID_MODEL_CONFIG", `${what}: ${reason}`);
  const config = parseWholeJson(bytes, MAX_DEPTH, refuse);
  if (typeof config !== "object" || config === null || Array.isArray(config))
    throw refuse(`expected an object, got ${describeValue(config)}`);
  const given = (config as { eos_token_id?: unknown }).eos_token_id ?? [];
  const ids: unknown[] = Array.isArray(given) ? given : [given];
  const bad = ids.find((id) => !Number.isSafeInteger(id));
  if (bad !== undefined)
    throw refuse(`eos_token_id: expected a token's id or a list of them, got ${describeValue(bad)}`);
  return ids as number[];
}
