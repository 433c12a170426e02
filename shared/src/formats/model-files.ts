import { InvalidInputError } from "../core/errors.ts";

/** What every model folder holds, besides its weights. */
const REQUIRED = ["config.json", "tokenizer.json"] as const;

/** All weights in one file. */
export const WEIGHT_FILE = "model.safetensors";
/** Which of several files holds which weight. */
export const WEIGHT_INDEX = "model.safetensors.index.json";
const SHARD = /^model-\d{1,6}-of-\d{1,6}\.safetensors$/;

/**
 * The files of a Hugging Face folder that a run reads, in order of name.
 * @param names - everything that lies in the folder
 * @throws InvalidInputError `MODEL_FILE_MISSING` naming the folder and what it lacks
 */
export function modelFiles(names: readonly string[], location: string): string[] {
  const missing: string[] = REQUIRED.filter((name) => !names.includes(name));
  const weights = weightFiles(names);
  const index = weights.some(isShardName) ? [WEIGHT_INDEX] : [];
  if (weights.length === 0) missing.push(WEIGHT_FILE);
  missing.push(...index.filter((name) => !names.includes(name)));
  if (missing.length > 0)
    throw new InvalidInputError(
      "MODEL_FILE_MISSING",
      `${location}: expected a model folder with ${REQUIRED.join(", ")} and ${WEIGHT_FILE}, or ${WEIGHT_INDEX} with its files; ${missing.join(", ")} missing, found ${
        names.length === 0 ? "nothing" : names.slice(0, 10).join(", ")
      }`,
    );
  return [...REQUIRED, ...index, ...weights].sort();
}

/** The weight files among a folder's names, in order of name. As in transformers, one file of all weights goes before several. */
export function weightFiles(names: readonly string[]): string[] {
  return names.includes(WEIGHT_FILE) ? [WEIGHT_FILE] : names.filter(isShardName).sort();
}

/** Whether a file's name is that of a part of the weights, such as model-00001-of-00002.safetensors. */
export function isShardName(name: string): boolean {
  return SHARD.test(name);
}
