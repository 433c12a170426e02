import type { RegistryEntry } from "../../contracts/registry-entry.ts";
import { InvalidInputError } from "../../core/errors.ts";
import { parsePeftAdapter } from "../../formats/peft-adapter.ts";
import { sha256InPieces } from "../../formats/sha256.ts";
import type { Material } from "../../ports/material.ts";

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";
/** What is read whole: rank 256 on a 7 B model in 16 bits. */
const MAX_FILE_BYTES = 2 * 1024 ** 3 - 1;

/**
 * Holds the files of a fetched adapter against its registry entry, and what they hold against PEFT's form.
 * @param folder - where they were put
 * @throws InvalidInputError `OUTPUT_CHANGED` with both hashes, `ADAPTER_INVALID`, `FILE_…`, `SAFETENSORS_…`
 */
export async function checkFetchedAdapter(
  material: Pick<Material, "read">,
  { party, run, adapter }: RegistryEntry,
  folder: string,
): Promise<void> {
  const what = `${party}@${run}`;
  const read = new Map<string, Uint8Array>();
  for (const { name, bytes, sha256 } of adapter.files) {
    const content = await material.read(`${folder}/${name}`, Math.min(bytes, MAX_FILE_BYTES));
    const found = await sha256InPieces(content);
    if (found !== sha256)
      throw new InvalidInputError(
        "OUTPUT_CHANGED",
        `${what}/${name}: expected SHA-256 ${sha256}, found ${found} (${content.length} bytes)`,
      );
    if (name === CONFIG || name === WEIGHTS) read.set(name, content);
  }
  const [config, weights] = [read.get(CONFIG), read.get(WEIGHTS)];
  if (!config || !weights)
    throw new InvalidInputError(
      "ADAPTER_INVALID",
      `${what}: expected ${CONFIG} and ${WEIGHTS} in its registry entry, got ${adapter.files.map(({ name }) => name).join(", ") || "no file"}`,
    );
  parsePeftAdapter(config, weights, what);
}
