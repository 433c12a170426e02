import { InvalidInputError } from "../core/errors.ts";

/** What a run's plan needs of a model's config.json; the engine reads the rest. */
export interface ModelConfig {
  modelType: string;
  vocabularySize: number;
  contextTokens: number;
}

/** Largest vocabulary and context believed: far above any model's, far below what would exhaust memory. */
const MAX_VOCABULARY = 4_000_000;
const MAX_CONTEXT = 100_000_000;

/** @throws InvalidInputError `MODEL_CONFIG_INVALID` naming the file, the field, what was expected and what came */
export function parseModelConfig(bytes: Uint8Array, what: string): ModelConfig {
  let config: Record<string, unknown>;
  try {
    config = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new InvalidInputError("MODEL_CONFIG_INVALID", `${what}: expected JSON (${(cause as Error).message})`, {
      cause,
    });
  }
  if (config === null || typeof config !== "object" || Array.isArray(config))
    throw new InvalidInputError("MODEL_CONFIG_INVALID", `${what}: expected a JSON object`);
  const integer = (field: string, largest: number): number => {
    const value = config[field];
    if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > largest)
      throw new InvalidInputError(
        "MODEL_CONFIG_INVALID",
        `${what}: ${field}: expected a whole number from 1 to ${largest}, got ${JSON.stringify(value) ?? "nothing"}`,
      );
    return value as number;
  };
  if (typeof config.model_type !== "string")
    throw new InvalidInputError(
      "MODEL_CONFIG_INVALID",
      `${what}: model_type: expected a name such as "llama", got ${JSON.stringify(config.model_type) ?? "nothing"}`,
    );
  return {
    modelType: config.model_type,
    vocabularySize: integer("vocab_size", MAX_VOCABULARY),
    contextTokens: integer("max_position_embeddings", MAX_CONTEXT),
  };
}
