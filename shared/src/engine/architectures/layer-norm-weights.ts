import type { Value } from "../graph/builder.ts";
import type { LayerContext } from "../layers/layer-context.ts";
import { layerNorm } from "../layers/layer-norm.ts";
import type { WeightSpec } from "./architecture.ts";

/** The checkpoint's tensors of a layer norm. */
export function normWeights(name: string, size: number): WeightSpec[] {
  return [
    { name: `${name}.weight`, shape: [size], initial: "ones" },
    { name: `${name}.bias`, shape: [size], initial: "zeros" },
  ];
}

/** A layer norm by the checkpoint's name for it. */
export function normed(model: LayerContext, x: Value, name: string, epsilon: number): Value {
  const weights = { gamma: model.weight(`${name}.weight`), beta: model.weight(`${name}.bias`) };
  return layerNorm(model.graph, x, weights, epsilon);
}
