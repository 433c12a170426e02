import type { Dimension, GraphBuilder, Value } from "../graph/builder.ts";
import { add, batchedMatmul, reshape, transpose } from "../graph/operators.ts";
import { type RotaryTables, rotary } from "./rotary.ts";

export interface AttentionShape {
  heads: number;
  /** divides heads; each is shared by heads / keyValueHeads query heads in a row */
  keyValueHeads: number;
  headSize: number;
}

/** What every layer's attention shares. */
export interface AttentionContext extends RotaryTables {
  /** [queries, tokens], 0 where a query may look and very negative elsewhere; queries = tokens × heads / keyValueHeads */
  mask: Value;
}

/** The size of the mask's first axis, given that of its second. */
export function queriesDimension({ heads, keyValueHeads }: AttentionShape): Dimension {
  return heads === keyValueHeads ? "tokens" : "queries";
}

/**
 * Grouped-query attention with rotary positions.
 *
 * @param query - [rows, heads × headSize], rows = batch × tokens
 * @param key - [rows, keyValueHeads × headSize], and value likewise
 * @returns [rows, heads × headSize]
 */
export function attention(
  graph: GraphBuilder,
  query: Value,
  key: Value,
  value: Value,
  shape: AttentionShape,
  context: AttentionContext,
): Value {
  const { heads, keyValueHeads, headSize } = shape;
  const queries = queriesDimension(shape);
  const byHead = (x: Value, count: number) =>
    transpose(graph, reshape(graph, x, ["batch", "tokens", count, headSize]), [0, 2, 1, 3]);
  const turned = rotary(graph, byHead(query, heads), context);
  const grouped = reshape(graph, turned, ["batch", keyValueHeads, queries, headSize]);
  const keys = rotary(graph, byHead(key, keyValueHeads), context);
  const scores = batchedMatmul(graph, grouped, keys, { transposeB: true, scale: 1 / Math.sqrt(headSize) });
  const masked = add(graph, scores, context.mask);
  const weights = graph.apply("Softmax", [masked], { shape: masked.shape }, { axis: -1 });
  const mixed = batchedMatmul(graph, weights, byHead(value, keyValueHeads));
  const byToken = transpose(graph, reshape(graph, mixed, ["batch", heads, "tokens", headSize]), [0, 2, 1, 3]);
  return reshape(graph, byToken, ["rows", heads * headSize]);
}

/** @returns [queries × tokens] a causal mask: query q of a group sees the tokens up to q modulo tokens */
export function causalMask(tokens: number, groups: number): Float32Array {
  const mask = new Float32Array(groups * tokens * tokens);
  for (let row = 0; row < groups * tokens; row++)
    mask.fill(HIDDEN, row * tokens + (row % tokens) + 1, (row + 1) * tokens);
  return mask;
}

/** Far below any score, and far enough from float32's end that adding a score stays finite. */
const HIDDEN = -1e38;
