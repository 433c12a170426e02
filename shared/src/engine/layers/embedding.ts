import type { Value } from "../graph/builder.ts";
import { add, gather, reshape } from "../graph/operators.ts";
import type { LayerContext } from "./layer-context.ts";

/** Each token's row of a table [V, D]: [rows, D]. */
export function embedTokens(model: LayerContext, table: string): Value {
  return gather(model.graph, model.weight(table), reshape(model.graph, model.ids, ["rows"]));
}

/** Adds to x [rows, D] each position's row of a learned table [positions, D]. */
export function addPositions(model: LayerContext, x: Value, table: string): Value {
  const { graph, positional } = model;
  const size = x.shape[1];
  const ofPositions = gather(graph, model.weight(table), positional.positions!);
  return reshape(graph, add(graph, reshape(graph, x, ["batch", "tokens", size]), ofPositions), ["rows", size]);
}
