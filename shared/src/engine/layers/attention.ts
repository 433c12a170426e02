import type { GraphBuilder, Value } from "../graph/builder.ts";
import { add, batchedMatmul, concat, reshape, split, transpose } from "../graph/operators.ts";
import { type AttentionShape, queriesDimension } from "./attention-mask.ts";
import type { KeysAndValues, LayerContext } from "./layer-context.ts";
import { type RotaryTables, rotary } from "./rotary.ts";
import { softcapped } from "./softcap.ts";

export interface AttentionOptions extends AttentionShape {
  /** which block this is: whose keys and values are kept in generation */
  layer: number;
  /** what scores are multiplied by; 1 / √headSize unless given */
  scale?: number;
  /** scores become softcap·tanh(scores / softcap); null or not given: they stay */
  softcap?: number | null;
  /** one of the graph's masks */
  mask: Value;
  /** how queries and keys are turned; null: not at all */
  rotary: RotaryTables | null;
}

/**
 * Grouped-query attention.
 *
 * @param query - [rows, heads × headSize], rows = batch × tokens
 * @param key - [rows, keyValueHeads × headSize], and value likewise
 * @returns [rows, heads × headSize]
 */
export function attention(
  model: LayerContext,
  query: Value,
  key: Value,
  value: Value,
  options: AttentionOptions,
): Value {
  const { graph } = model;
  const { heads, keyValueHeads, headSize, scale = 1 / Math.sqrt(headSize), softcap = null } = options;
  const turn = (x: Value) => (options.rotary ? rotary(graph, x, options.rotary) : x);
  const byHead = (x: Value, count: number) =>
    transpose(graph, reshape(graph, x, ["batch", "tokens", count, headSize]), [0, 2, 1, 3]);
  const queries = queriesDimension(options);
  const grouped = reshape(graph, turn(byHead(query, heads)), ["batch", keyValueHeads, queries, headSize]);
  const fresh = { keys: turn(byHead(key, keyValueHeads)), values: byHead(value, keyValueHeads) };
  const kept = model.keep(options.layer, fresh);
  const scoresOf = (keys: Value) => batchedMatmul(graph, grouped, keys, { transposeB: true, scale });
  // what is kept is read where it lies: joined with the new it would have to be copied
  const scores = kept ? concat(graph, [scoresOf(kept.keys), scoresOf(fresh.keys)], 3, "keys") : scoresOf(fresh.keys);
  const masked = add(graph, softcap === null ? scores : softcapped(graph, scores, softcap), options.mask);
  const weights = graph.apply("Softmax", [masked], { shape: masked.shape }, { axis: -1 });
  const mixed = kept ? mixBoth(graph, weights, kept, fresh) : batchedMatmul(graph, weights, fresh.values);
  const byToken = transpose(graph, reshape(graph, mixed, ["batch", heads, "tokens", headSize]), [0, 2, 1, 3]);
  return reshape(graph, byToken, ["rows", heads * headSize]);
}

/** @param weights - [batch, keyValueHeads, queries, slots + tokens] */
function mixBoth(graph: GraphBuilder, weights: Value, kept: KeysAndValues, fresh: KeysAndValues): Value {
  const [ofKept, ofFresh] = split(graph, weights, ["slots", "tokens"], 3);
  return add(graph, batchedMatmul(graph, ofKept, kept.values), batchedMatmul(graph, ofFresh, fresh.values));
}
