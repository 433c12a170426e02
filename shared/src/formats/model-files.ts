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
      }${cureOf(missing, names)}`,
    );
  return [...REQUIRED, ...index, ...weights].sort();
}

/** What older downloads have instead, and what makes of it what is read here. */
function cureOf(missing: readonly string[], names: readonly string[]): string {
  const instead = [
    ["tokenizer.json", /^(tokenizer\.model|vocab\.json|merges\.txt)$/],
    [WEIGHT_FILE, /^pytorch_model.*\.bin(\.index\.json)?$/],
  ] as const;
  const found = instead.flatMap(([name, older]) =>
    missing.includes(name) ? names.filter((one) => older.test(one)).slice(0, 1) : [],
  );
  return found.length === 0
    ? ""
    : `; ${found.join(" and ")}: older forms, from which transformers' save_pretrained (of the model, of its fast tokenizer) writes what is expected`;
}

/** The weight files among a folder's names, in order of name. As in transformers, one file of all weights goes before several. */
export function weightFiles(names: readonly string[]): string[] {
  return names.includes(WEIGHT_FILE) ? [WEIGHT_FILE] : names.filter(isShardName).sort();
}

/** Whether a file's name is that of a part of the weights, such as model-00001-of-00002.safetensors. */
export function isShardName(name: string): boolean {
  return SHARD.test(name);
}
