import type { GraphBuilder, Value } from "../graph/builder.ts";
import { gemm } from "../graph/operators.ts";

/** A low-rank addition to a linear layer (Hu et al., "LoRA", 2021): x → scale·x·Aᵀ·Bᵀ, scale = α / rank. */
export interface LoraPair {
  /** A: [rank, in] */
  down: Value;
  /** B: [out, rank] */
  up: Value;
  scale: number;
}

/** x [rows, in], weight [out, in], bias [out] → x·Wᵀ + b, with a LoRA pair plus scale·x·Aᵀ·Bᵀ: [rows, out]. */
export function linearWithLora(
  graph: GraphBuilder,
  x: Value,
  weight: Value,
  bias: Value | null,
  lora: LoraPair | null,
): Value {
  const y = gemm(graph, x, weight, { transposeB: true, ...(bias ? { c: bias } : {}) });
  if (!lora) return y;
  const low = gemm(graph, x, lora.down, { transposeB: true });
  return gemm(graph, low, lora.up, { transposeB: true, scale: lora.scale, c: y });
}
