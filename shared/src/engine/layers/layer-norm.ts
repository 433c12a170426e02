import type { GraphBuilder, Value } from "../graph/builder.ts";

/** What a layer norm learns; null where it learns nothing: γ = 1, β = 0. */
export interface LayerNormWeights {
  /** [D] */
  gamma: Value | null;
  /** [D] */
  beta: Value | null;
}

/** Brings each row of x [..., D] to mean 0 and variance 1, then scales it by gamma and adds beta (Ba et al., 2016). */
export function layerNorm(graph: GraphBuilder, x: Value, { gamma, beta }: LayerNormWeights, epsilon: number): Value {
  const size = x.shape.at(-1) as number;
  const scale = gamma ?? graph.constant("float32", [size], Array(size).fill(1));
  const ofRow = { shape: [...x.shape.slice(0, -1), 1] };
  const [y] = graph.applyMany(
    "LayerNormalization",
    beta ? [x, scale, beta] : [x, scale],
    [{ shape: x.shape }, ofRow, ofRow],
    { axis: -1, epsilon: { float: epsilon }, stash_type: 1 },
  );
  return y;
}
