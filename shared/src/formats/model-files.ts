import { InvalidInputError } from "../core/errors.ts";

/** What every model folder holds, besides its weights. */
const REQUIRED = ["config.json", "tokenizer.json"] as const;
const WEIGHTS = ".safetensors";
const INDEX = "model.safetensors.index.json";

/**
 * The files of a Hugging Face folder that a run reads, in order of name.
 * @param names - everything that lies in the folder
 * @throws InvalidInputError `MODEL_FILE_MISSING` naming the folder and what it lacks
 */
export function modelFiles(names: readonly string[], location: string): string[] {
  const missing: string[] = REQUIRED.filter((name) => !names.includes(name));
  const weights = weightFiles(names);
  if (weights.length === 0) missing.push(`*${WEIGHTS}`);
  if (missing.length > 0)
    throw new InvalidInputError(
      "MODEL_FILE_MISSING",
      `${location}: expected a model folder with ${REQUIRED.join(", ")} and *${WEIGHTS}; ${missing.join(", ")} missing, found ${
        names.length === 0 ? "nothing" : names.slice(0, 10).join(", ")
      }`,
    );
  return [...REQUIRED, ...(names.includes(INDEX) ? [INDEX] : []), ...weights].sort();
}

/** The weight files among a folder's names, in order of name. */
export function weightFiles(names: readonly string[]): string[] {
  return names.filter((name) => name.endsWith(WEIGHTS)).sort();
}
