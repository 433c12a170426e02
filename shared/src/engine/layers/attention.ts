import type { Dimension, Value } from "../graph/builder.ts";
import { add, batchedMatmul, reshape, transpose } from "../graph/operators.ts";
import type { ModelGraph } from "../model-graph.ts";
import { type RotaryTables, rotary } from "./rotary.ts";

export interface AttentionShape {
  heads: number;
  /** divides heads; each is shared by heads / keyValueHeads query heads in a row */
  keyValueHeads: number;
  headSize: number;
}

/** What a query may look at. */
export interface MaskSpec {
  /** how many tokens back, itself included; null: all of them */
  readonly window: number | null;
  /** [heads] ALiBi's slopes (Press et al., 2022): scores get slope × the key's position; null: none */
  readonly slopes: readonly number[] | null;
}

export interface AttentionOptions extends AttentionShape {
  /** which block this is: whose keys and values are kept in generation */
  layer: number;
  /** what scores are multiplied by; 1 / √headSize unless given */
  scale?: number;
  /** one of the graph's masks */
  mask: Value;
  /** how queries and keys are turned; null: not at all */
  rotary: RotaryTables | null;
}

/** The size of the mask's first axis, given that of its second. */
export function queriesDimension({ heads, keyValueHeads }: AttentionShape): Dimension {
  return heads === keyValueHeads ? "tokens" : "queries";
}

/**
 * Grouped-query attention.
 *
 * @param query - [rows, heads × headSize], rows = batch × tokens
 * @param key - [rows, keyValueHeads × headSize], and value likewise
 * @returns [rows, heads × headSize]
 */
export function attention(model: ModelGraph, query: Value, key: Value, value: Value, options: AttentionOptions): Value {
  const { graph } = model;
  const { heads, keyValueHeads, headSize, scale = 1 / Math.sqrt(headSize) } = options;
  const turn = (x: Value) => (options.rotary ? rotary(graph, x, options.rotary) : x);
  const byHead = (x: Value, count: number) =>
    transpose(graph, reshape(graph, x, ["batch", "tokens", count, headSize]), [0, 2, 1, 3]);
  const queries = queriesDimension(options);
  const grouped = reshape(graph, turn(byHead(query, heads)), ["batch", keyValueHeads, queries, headSize]);
  const keys = turn(byHead(key, keyValueHeads));
  const scores = batchedMatmul(graph, grouped, keys, { transposeB: true, scale });
  const masked = add(graph, scores, options.mask);
  const weights = graph.apply("Softmax", [masked], { shape: masked.shape }, { axis: -1 });
  const mixed = batchedMatmul(graph, weights, byHead(value, keyValueHeads));
  const byToken = transpose(graph, reshape(graph, mixed, ["batch", heads, "tokens", headSize]), [0, 2, 1, 3]);
  return reshape(graph, byToken, ["rows", heads * headSize]);
}

/**
 * A causal mask, to be added to scores.
 * @returns [queries × tokens], or [keyValueHeads × queries × tokens] with slopes: query q of a group sees the tokens up to q
 *   modulo tokens, and no more of them than the window
 */
export function maskValues({ window, slopes }: MaskSpec, shape: AttentionShape, tokens: number): Float32Array {
  const rows = ((slopes ? shape.heads : shape.heads / shape.keyValueHeads) * tokens) | 0;
  const mask = new Float32Array(rows * tokens);
  for (let row = 0; row < rows; row++) {
    const token = row % tokens;
    const begin = row * tokens;
    const slope = slopes?.[Math.floor(row / tokens)] ?? 0;
    if (slope) for (let key = 0; key <= token; key++) mask[begin + key] = slope * key;
    if (window !== null && token >= window) mask.fill(HIDDEN, begin, begin + token - window + 1);
    mask.fill(HIDDEN, begin + token + 1, begin + tokens);
  }
  return mask;
}

/** Far below any score, and far enough from float32's end that adding a score stays finite. */
const HIDDEN = -1e38;
