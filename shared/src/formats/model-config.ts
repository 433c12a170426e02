import { InvalidInputError } from "../core/errors.ts";
import { MAX_CONTEXT, MAX_VOCABULARY } from "../core/model-limits.ts";
import { quote } from "./quote.ts";

/** What a run's plan needs of a model's config.json; the engine's parser of the architecture reads the rest. */
export interface ModelConfig {
  modelType: string;
  vocabularySize: number;
  contextTokens: number;
}

/** A config.json that is a JSON object, and how its fields are read and refused. */
export interface ConfigFields {
  readonly fields: Readonly<Record<string, unknown>>;
  /** Says `MODEL_CONFIG_INVALID`, naming the file. */
  refuse(reason: string): InvalidInputError;
  /** @returns a whole number from 1 to `most`; `otherwise` where the field is missing or null */
  whole(name: string, most: number, otherwise?: number): number;
  /** @returns the first of these names that the file has, since older files call some fields otherwise; else the first of all */
  named(...names: [string, ...string[]]): string;
}

/** @throws InvalidInputError `MODEL_CONFIG_INVALID` naming the file, the field, what was expected and what came */
export function parseModelConfig(bytes: Uint8Array, what: string): ModelConfig {
  return readModelConfig(openConfigFields(bytes, what));
}

/** The part that is alike for all architectures. @throws InvalidInputError `MODEL_CONFIG_INVALID` */
export function readModelConfig(config: ConfigFields): ModelConfig {
  const { fields, refuse, whole } = config;
  if (typeof fields.model_type !== "string")
    throw refuse(`model_type: expected a name such as "llama", got ${showField(fields.model_type)}`);
  if (fields.text_config != null)
    throw refuse(
      `model_type: expected a model of text alone, got ${showField(fields.model_type)}, whose text_config is one of its parts`,
    );
  return {
    modelType: fields.model_type,
    vocabularySize: whole("vocab_size", MAX_VOCABULARY),
    contextTokens: readContext(config, fields.model_type),
  };
}

/** What BLOOM was trained on. Its positions have no end (ALiBi), so that its newer files say none. */
const BLOOM_CONTEXT = 2048;

function readContext({ whole, named }: ConfigFields, modelType: string): number {
  if (modelType === "gpt2") return whole(named("n_positions", "max_position_embeddings", "n_ctx"), MAX_CONTEXT);
  if (modelType === "bloom") return whole("seq_length", MAX_CONTEXT, BLOOM_CONTEXT);
  return whole("max_position_embeddings", MAX_CONTEXT);
}

/**
 * @param what - the file as errors name it
 * @throws InvalidInputError `MODEL_CONFIG_INVALID`
 */
export function openConfigFields(bytes: Uint8Array, what: string): ConfigFields {
  const refuse = (reason: string) => new InvalidInputError("MODEL_CONFIG_INVALID", `${what}: ${reason}`);
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw refuse(`expected JSON (${(cause as Error).message})`);
  }
  if (fields === null || typeof fields !== "object" || Array.isArray(fields))
    throw refuse(`expected an object, got ${quote(fields)}`);
  return {
    fields,
    refuse,
    whole(name, most, otherwise) {
      const value = fields[name] ?? otherwise;
      if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > most)
        throw refuse(`${name}: expected a whole number from 1 to ${most}, got ${showField(value)}`);
      return value as number;
    },
    named: (...names) => names.find((name) => fields[name] != null) ?? names[0],
  };
}

/** A field's value as errors show it. */
export function showField(value: unknown): string {
  return value === undefined ? "nothing" : quote(value);
}
