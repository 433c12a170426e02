import type { GraphBuilder, Value } from "../graph/builder.ts";
import { multiply, unary } from "../graph/operators.ts";

/** cap·tanh(x / cap), elementwise: x where it is small, never beyond ±cap (Gemma 2). */
export function softcapped(graph: GraphBuilder, x: Value, cap: number): Value {
  const bounded = unary(graph, "Tanh", multiply(graph, x, graph.scalar(1 / cap)));
  return multiply(graph, bounded, graph.scalar(cap));
}
