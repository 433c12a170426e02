import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { InvalidInputError } from "../../core/errors.ts";

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

/** SHA-256 over each weight file's name, length and bytes, in order of name; one pass, constant memory. */
export async function hashWeights(folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of weightFiles(await readdir(folder))) {
    const file = path.join(folder, name);
    hash.update(`${name}\0${(await stat(file)).size}\0`);
    for await (const chunk of createReadStream(file)) hash.update(chunk as Uint8Array);
  }
  return hash.digest("hex");
}

function weightFiles(names: readonly string[]): string[] {
  return names.filter((name) => name.endsWith(WEIGHTS)).sort();
}
