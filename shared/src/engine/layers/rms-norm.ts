import type { GraphBuilder, Value } from "../graph/builder.ts";

/** Divides each row of x [..., D] by its root mean square and scales it by gamma [D] (Zhang and Sennrich, 2019). */
export function rmsNorm(graph: GraphBuilder, x: Value, gamma: Value, epsilon: number): Value {
  const [y] = graph.applyMany(
    "SimplifiedLayerNormalization",
    [x, gamma],
    [{ shape: x.shape }, { shape: [...x.shape.slice(0, -1), 1] }],
    { axis: -1, epsilon: { float: epsilon }, stash_type: 1 },
  );
  return y;
}
