import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { type PeftAdapter, parsePeftAdapter } from "@fedmkt/shared/formats/peft-adapter.ts";

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";
/** Rank 256 on every layer of a 70B model is 7 GB; what is read whole here is for one machine, so less will do. */
const MAX_WEIGHT_BYTES = 2 * 1024 ** 3;

export function isAdapterFolder(folder: string): boolean {
  return existsSync(join(folder, CONFIG));
}

/**
 * An adapter's folder, both of its files read and checked.
 * @param what - the folder as errors name it
 * @returns with the bytes of adapter_model.safetensors
 * @throws InvalidInputError `FILE_MISSING`, `FILE_TOO_LARGE`, `ADAPTER_INVALID`, `SAFETENSORS_…`
 */
export function readAdapter(folder: string, what: string): PeftAdapter & { weights: Uint8Array } {
  for (const name of [CONFIG, WEIGHTS])
    if (!statSync(join(folder, name), { throwIfNoEntry: false })?.isFile())
      throw new InvalidInputError("FILE_MISSING", `${what}: expected ${name}, there is none`);
  const { size } = statSync(join(folder, WEIGHTS));
  if (size > MAX_WEIGHT_BYTES)
    throw new InvalidInputError(
      "FILE_TOO_LARGE",
      `${what}/${WEIGHTS}: expected at most ${MAX_WEIGHT_BYTES} bytes, got ${size}`,
    );
  const weights = new Uint8Array(readFileSync(join(folder, WEIGHTS)));
  return { ...parsePeftAdapter(readFileSync(join(folder, CONFIG)), weights, what), weights };
}
