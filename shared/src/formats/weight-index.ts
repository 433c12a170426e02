import { InvalidInputError } from "../core/errors.ts";
import { findJsonKeyProblem } from "./json-keys.ts";
import { isShardName, WEIGHT_INDEX } from "./model-files.ts";
import { quote } from "./quote.ts";

/** Some hundred thousand tensors; the largest models' indexes have a fourth of it. */
export const MAX_INDEX_BYTES = 32 * 1024 * 1024;

/** A name and a file each; JSON of as many takes some 300 MB of memory. */
const MAX_VALUES = 1_000_000;
/** The object itself, and the objects in it. */
const DEPTH = 4;

/**
 * Which file holds each tensor of weights that are cut into several files.
 *
 * @param bytes - model.safetensors.index.json
 * @param what - the file as errors name it
 * @returns tensor → name of a file beside the index
 * @throws InvalidInputError `MODEL_WEIGHTS_INVALID` naming the file, the tensor, what was expected and what came
 */
export function parseWeightIndex(bytes: Uint8Array, what: string): ReadonlyMap<string, string> {
  const refuse = (reason: string) => new InvalidInputError("MODEL_WEIGHTS_INVALID", `${what}: ${reason}`);
  if (bytes.length > MAX_INDEX_BYTES)
    throw refuse(`expected an ${WEIGHT_INDEX} of at most ${MAX_INDEX_BYTES} bytes, got ${bytes.length}`);
  let index: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const problem = findJsonKeyProblem(text, DEPTH, quote, MAX_VALUES);
    if (problem !== null) throw new Error(problem);
    index = JSON.parse(text);
  } catch (cause) {
    throw refuse(`expected JSON (${(cause as Error).message})`);
  }
  const files = isObject(index) ? index.weight_map : undefined;
  if (!isObject(files)) throw refuse(`weight_map: expected an object of tensors' files, got ${quote(files ?? null)}`);
  for (const [tensor, file] of Object.entries(files))
    if (typeof file !== "string" || !isShardName(file))
      throw refuse(
        `weight_map: tensor ${quote(tensor)}: expected the name of a file such as model-00001-of-00002.safetensors, got ${quote(file)}`,
      );
  return new Map(Object.entries(files as Record<string, string>));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
