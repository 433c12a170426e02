import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { parsePeftAdapter } from "@fedmkt/shared/formats/peft-adapter.ts";
import { formatBytes } from "@fedmkt/shared/report/table.ts";
import type { Inspection } from "./inspection.ts";

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";
/** Rank 256 on every layer of a 70B model is 7 GB; what is read whole here is for looking at, so less will do. */
const MAX_WEIGHT_BYTES = 2 * 1024 ** 3;

export function isAdapterFolder(folder: string): boolean {
  return existsSync(join(folder, CONFIG));
}

/**
 * An adapter's folder, both of its files read and checked.
 * @throws InvalidInputError `FILE_MISSING`, `FILE_TOO_LARGE`, `ADAPTER_INVALID`, `SAFETENSORS_…`
 */
export function inspectAdapter(folder: string, what: string): Inspection {
  const file = join(folder, WEIGHTS);
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats?.isFile()) throw new InvalidInputError("FILE_MISSING", `${what}: expected ${WEIGHTS}, there is none`);
  if (stats.size > MAX_WEIGHT_BYTES)
    throw new InvalidInputError(
      "FILE_TOO_LARGE",
      `${what}/${WEIGHTS}: expected at most ${MAX_WEIGHT_BYTES} bytes, got ${stats.size}`,
    );
  const adapter = parsePeftAdapter(readFileSync(join(folder, CONFIG)), readFileSync(file), what);
  const { baseModel, rank, alpha, targets, layers } = adapter;
  const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);
  let parameters = 0;
  for (const { down, up } of layers.values()) parameters += sizeOf(down.shape) + sizeOf(up.shape);
  return {
    kind: "LoRA adapter (PEFT)",
    facts: {
      "base model": baseModel,
      rank,
      alpha,
      targets: targets.join(", "),
      layers: layers.size,
      tensors: 2 * layers.size,
      parameters,
      size: formatBytes(stats.size),
    },
    lines: [...layers].map(
      ([layer, { down, up }]) => `${layer}: A ${down.dtype} [${down.shape.join(", ")}], B [${up.shape.join(", ")}]`,
    ),
  };
}
