import { readFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { parseArchitecture } from "../../shared/src/engine/architectures/parse-architecture.ts";
import { adaptedLinears, loraNames } from "../../shared/src/engine/lora-bank.ts";
import { type Tensor, writeSafetensors } from "../../shared/src/formats/safetensors.ts";
import type { AdapterToLoad } from "../../shared/src/ports/engine.ts";

/** An adapter whose weights follow from these few numbers. */
export interface HashedAdapter {
  rank: number;
  alpha: number;
  targets: readonly string[];
  seed: number;
}

/** murmur3's finalizer, of 32-bit numbers. */
function mixed(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Uniform in ±bound, by the tensor's name and the place in it: as scripts/fixtures/adapters.py draws them. */
function hashed(name: string, shape: readonly [number, number], seed: number, bound: number): Tensor {
  const begin = mixed(crc32(name) ^ seed);
  const data = Float32Array.from(
    { length: shape[0] * shape[1] },
    (_, index) => (2 * (mixed((index + begin) >>> 0) / 2 ** 32) - 1) * bound,
  );
  return { dtype: "F32", shape, data };
}

/**
 * @param folder - of the model that it adapts
 * @param strength - B is uniform in ±strength; A in ±1/√in
 */
export function hashedAdapter(folder: string, { seed, ...lora }: HashedAdapter, strength: number): AdapterToLoad {
  const path = join(folder, "config.json");
  const architecture = parseArchitecture(readFileSync(path), path);
  const tensors: Record<string, Tensor> = {};
  for (const linear of adaptedLinears(architecture, { ...lora, targets: [...lora.targets], dropout: 0 })) {
    const { down, up } = loraNames(linear.name);
    tensors[down] = hashed(down, [lora.rank, linear.in], seed, 1 / Math.sqrt(linear.in));
    tensors[up] = hashed(up, [linear.out, lora.rank], seed, strength);
  }
  return { rank: lora.rank, alpha: lora.alpha, weights: writeSafetensors(tensors, { format: "pt" }) };
}
