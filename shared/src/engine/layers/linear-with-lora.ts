import type { GraphBuilder, Value } from "../graph/builder.ts";
import { gemm, multiply, where } from "../graph/operators.ts";

/** A low-rank addition to a linear layer (Hu et al., "LoRA", 2021): x → scale·x·Aᵀ·Bᵀ, scale = α / rank. */
export interface LoraPair {
  /** A: [rank, in] */
  down: Value;
  /** B: [out, rank] */
  up: Value;
  scale: number;
  /** what of x the pair sees, in training with dropout; null: all of it */
  dropout: LoraMask | null;
}

/** Dropout of a LoRA pair's input, as PEFT has it: x → x ∘ kept / (1 − probability). The layer's own weight sees all of x. */
export interface LoraMask {
  /** [rows, in] bool: true where x is seen */
  kept: Value;
  /** of an element to be hidden */
  probability: number;
}

/**
 * The pairs of several adapters, one below the other: R is the sum of their ranks. Each row uses its own adapter alone, since
 * its scales are 0 in the others' ranks.
 */
export interface LoraStack {
  /** A: [R, in] */
  down: Value;
  /** Bᵀ: [R, out] */
  up: Value;
  /** [rows, R]: {@link STACK_SCALE} × α / rank of the row's adapter, and 0 */
  scales: Value;
}

/**
 * ONNX Runtime has a way of its own for the product of a single row, with another order of sums, but not where it is scaled. Halves
 * change no digit, so that a row's numbers are the same alone and beside others.
 */
const HALF = 0.5;
/** What a stack's scales have to be multiplied by. */
export const STACK_SCALE = 1 / HALF ** 2;

export interface LinearLayer {
  /** [out, in] where transposed, as in torch.nn.Linear; else [in, out] */
  weight: Value;
  transposed: boolean;
  /** [out] */
  bias: Value | null;
  lora: LoraPair | LoraStack | null;
}

/** x [rows, in] → x·Wᵀ + b, with LoRA plus scale·x·Aᵀ·Bᵀ: [rows, out]. */
export function linearWithLora(graph: GraphBuilder, x: Value, { weight, transposed, bias, lora }: LinearLayer): Value {
  const y = gemm(graph, x, weight, { transposeB: transposed, ...(bias ? { c: bias } : {}) });
  if (!lora) return y;
  if ("scales" in lora) {
    const low = multiply(graph, gemm(graph, x, lora.down, { transposeB: true, scale: HALF }), lora.scales);
    return gemm(graph, low, lora.up, { scale: HALF, c: y });
  }
  const { down, up, dropout } = lora;
  const seen = dropout ? where(graph, dropout.kept, x, graph.scalar(0)) : x;
  const low = gemm(graph, seen, down, { transposeB: true });
  const scale = dropout ? lora.scale / (1 - dropout.probability) : lora.scale;
  return gemm(graph, low, up, { transposeB: true, scale, c: y });
}
