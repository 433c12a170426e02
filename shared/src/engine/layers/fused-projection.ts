import type { GraphBuilder, Value } from "../graph/builder.ts";
import { reshape, split } from "../graph/operators.ts";
import type { AttentionShape } from "./attention-mask.ts";

/** Queries, keys and values of one projection, one after the other (GPT-2): [rows, 3 × D] → three of [rows, D]. */
export function splitInTurn(graph: GraphBuilder, fused: Value): [query: Value, key: Value, value: Value] {
  const size = (fused.shape[1] as number) / 3;
  const [query, key, value] = split(graph, fused, [size, size, size], 1);
  return [query, key, value];
}

/** The same where each head's query, key and value lie together (BLOOM, GPT-NeoX). */
export function splitByHead(
  graph: GraphBuilder,
  fused: Value,
  { heads, headSize }: AttentionShape,
): [query: Value, key: Value, value: Value] {
  const byHead = reshape(graph, fused, ["rows", heads, 3 * headSize]);
  const [query, key, value] = split(graph, byHead, [headSize, headSize, headSize], 2).map((part) =>
    reshape(graph, part, ["rows", heads * headSize]),
  );
  return [query, key, value];
}
