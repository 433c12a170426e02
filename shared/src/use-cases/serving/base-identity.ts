import type { RegistryEntry } from "../../contracts/registry-entry.ts";
import { InvalidInputError } from "../../core/errors.ts";
import { sha256 } from "../../formats/sha256.ts";
import type { Material } from "../../ports/material.ts";
import { MAX_CONFIG_BYTES, MAX_TOKENIZER_BYTES } from "../party-tokenizer.ts";

/** What an adapter's base must agree in with the model that is served. */
export type BaseIdentity = Omit<RegistryEntry["base"], "name">;

/** The code of an adapter's error that belongs to another model. */
export const BASE_DIFFERS = "BASE_DIFFERS";

const FILES = [
  ["configHash", "config.json"],
  ["tokenizerHash", "tokenizer.json"],
  ["weightsFingerprint", "the weights"],
] as const;

/** Of a model's folder, as plan-run takes it: reads 256 KiB of each weight file. @throws as the material does */
export async function identifyBase(
  material: Pick<Material, "read" | "fingerprint">,
  model: string,
): Promise<BaseIdentity> {
  return {
    configHash: sha256(await material.read(`${model}/config.json`, MAX_CONFIG_BYTES)),
    tokenizerHash: sha256(await material.read(`${model}/tokenizer.json`, MAX_TOKENIZER_BYTES)),
    weightsFingerprint: await material.fingerprint(model),
  };
}

/** @returns an error to tell, with both hashes' beginnings of all that differs; null where an adapter of this base fits */
export function differsFromBase(entry: RegistryEntry, served: BaseIdentity): InvalidInputError | null {
  const differing = FILES.filter(([field]) => entry.base[field] !== served[field]).map(
    ([field, file]) => `${file} (SHA-256 ${begin(served[field])} here, ${begin(entry.base[field])} there)`,
  );
  if (differing.length === 0) return null;
  return new InvalidInputError(
    BASE_DIFFERS,
    `${entry.party}@${entry.run}: expected an adapter of the model that is served, got one of ${entry.base.name}, which differs in ${differing.join(", ")}`,
  );
}

function begin(hash: string): string {
  return hash.slice(0, 12);
}
