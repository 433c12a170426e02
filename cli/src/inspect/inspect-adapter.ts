import { formatBytes } from "@fedmkt/shared/report/table.ts";
import { readAdapter } from "../model/read-adapter.ts";
import type { Inspection } from "./inspection.ts";

/**
 * An adapter's folder, both of its files read and checked.
 * @throws InvalidInputError `FILE_MISSING`, `FILE_TOO_LARGE`, `ADAPTER_INVALID`, `SAFETENSORS_…`
 */
export function inspectAdapter(folder: string, what: string): Inspection {
  const adapter = readAdapter(folder, what);
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
      size: { value: adapter.weights.length, text: formatBytes(adapter.weights.length) },
    },
    lines: [...layers].map(
      ([layer, { down, up }]) => `${layer}: A ${down.dtype} [${down.shape.join(", ")}], B [${up.shape.join(", ")}]`,
    ),
  };
}
