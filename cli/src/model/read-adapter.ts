import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { widenBfloat16, widenFloat16 } from "@fedmkt/shared/engine/widen-float.ts";
import { MAX_ADAPTER_CONFIG_BYTES, type PeftAdapter, parsePeftAdapter } from "@fedmkt/shared/formats/peft-adapter.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "@fedmkt/shared/formats/safetensors.ts";
import { readWhole } from "../large-file.ts";

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";
/** Rank 256 on every layer of a 70B model is 7 GB; what is read whole here is for one machine, so less will do. */
const MAX_WEIGHT_BYTES = 2 * 1024 ** 3;

export interface LocalAdapter extends PeftAdapter {
  /** adapter_model.safetensors as it is */
  weights: Uint8Array;
  /** the same in f32 */
  widened(): Uint8Array;
}

export function isAdapterFolder(folder: string): boolean {
  return existsSync(join(folder, CONFIG));
}

/**
 * An adapter's folder, both of its files read and checked.
 * @param what - the folder as errors name it
 * @throws InvalidInputError `FILE_MISSING`, `FILE_TOO_LARGE`, `ADAPTER_INVALID`, `SAFETENSORS_…`
 */
export function readAdapter(folder: string, what: string): LocalAdapter {
  const config = readFile(folder, CONFIG, MAX_ADAPTER_CONFIG_BYTES, what);
  const weights = readFile(folder, WEIGHTS, MAX_WEIGHT_BYTES, what);
  const adapter = parsePeftAdapter(config, weights, what);
  return { ...adapter, weights, widened: () => widen(weights, what) };
}

function readFile(folder: string, name: string, maxBytes: number, what: string): Uint8Array {
  const stats = statSync(join(folder, name), { throwIfNoEntry: false });
  if (!stats?.isFile()) throw new InvalidInputError("FILE_MISSING", `${what}: expected ${name}, there is none`);
  if (stats.size > maxBytes)
    throw new InvalidInputError(
      "FILE_TOO_LARGE",
      `${what}/${name}: expected at most ${maxBytes} bytes, got ${stats.size}`,
    );
  return readWhole(join(folder, name));
}

/** The adapter's weights in f32, as the engine takes them: other programs save theirs in 16 bits, too. */
function widen(weights: Uint8Array, what: string): Uint8Array {
  const { tensors, metadata } = readSafetensors(weights, what);
  if ([...tensors.values()].every(({ dtype }) => dtype === "F32")) return weights;
  const wide = [...tensors].map(([name, tensor]): [string, Tensor] => {
    if (tensor.dtype !== "F16" && tensor.dtype !== "BF16") return [name, tensor];
    const data = tensor.dtype === "F16" ? widenFloat16(tensor.data) : widenBfloat16(tensor.data);
    return [name, { dtype: "F32", shape: tensor.shape, data }];
  });
  return writeSafetensors(Object.fromEntries(wide), metadata);
}
