import type { GraphBuilder, Value } from "../graph/builder.ts";
import { MICROSOFT, multiply } from "../graph/operators.ts";

/** SiLU(gate)·up, elementwise (Shazeer, "GLU variants", 2020); SiLU(x) = x·σ(x). */
export function swiglu(graph: GraphBuilder, gate: Value, up: Value): Value {
  return multiply(graph, silu(graph, gate), up);
}

export function silu(graph: GraphBuilder, x: Value): Value {
  // ONNX Runtime's QuickGelu is x·σ(αx)
  return graph.apply("QuickGelu", [x], { shape: x.shape }, { alpha: { float: 1 } }, MICROSOFT);
}
