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

export interface LinearLayer {
  /** [out, in] where transposed, as in torch.nn.Linear; else [in, out] */
  weight: Value;
  transposed: boolean;
  /** [out] */
  bias: Value | null;
  lora: LoraPair | null;
}

/** x [rows, in] → x·Wᵀ + b, with a LoRA pair plus scale·x·Aᵀ·Bᵀ: [rows, out]. */
export function linearWithLora(graph: GraphBuilder, x: Value, { weight, transposed, bias, lora }: LinearLayer): Value {
  const y = gemm(graph, x, weight, { transposeB: transposed, ...(bias ? { c: bias } : {}) });
  if (!lora) return y;
  const low = gemm(graph, x, lora.down, { transposeB: true });
  return gemm(graph, low, lora.up, { transposeB: true, scale: lora.scale, c: y });
}
