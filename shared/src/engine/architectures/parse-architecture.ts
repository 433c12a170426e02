import { closestName } from "../../contracts/closest-name.ts";
import { openConfigFields, readModelConfig, showField } from "../../formats/model-config.ts";
import type { Architecture } from "./architecture.ts";
import { bloom } from "./bloom.ts";
import type { ArchitectureParser } from "./config-reader.ts";
import { openConfigReader } from "./config-reader.ts";
import { gemma2 } from "./gemma2.ts";
import { gemma3Text } from "./gemma3-text.ts";
import { gptNeox } from "./gpt-neox.ts";
import { gpt2 } from "./gpt2.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import { opt } from "./opt.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";

/** Every architecture that the engine has, by config.json's model_type. */
const ARCHITECTURES: Readonly<Record<string, ArchitectureParser>> = {
  llama,
  mistral,
  qwen2,
  qwen3,
  gemma2,
  gemma3_text: gemma3Text,
  gpt2,
  opt,
  bloom,
  gpt_neox: gptNeox,
};

/** The model_types that the engine has. */
export const MODEL_TYPES: readonly string[] = Object.keys(ARCHITECTURES);

/**
 * @param json - config.json
 * @param what - the file as errors name it
 * @throws InvalidInputError `MODEL_CONFIG_INVALID` naming file, field, expected and got
 */
export function parseArchitecture(json: Uint8Array, what: string): Architecture {
  const fields = openConfigFields(json, what);
  const { modelType, ...sizes } = readModelConfig(fields);
  if (!Object.hasOwn(ARCHITECTURES, modelType)) {
    const close = closestName(modelType, MODEL_TYPES);
    throw fields.refuse(
      `model_type: expected one of ${MODEL_TYPES.join(", ")}, got ${showField(modelType)}${close ? `; did you mean ${close}?` : ""}`,
    );
  }
  const reader = openConfigReader(fields);
  reader.only("is_causal", true);
  return ARCHITECTURES[modelType](reader, { modelType, ...sizes });
}
