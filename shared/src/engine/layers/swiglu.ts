import type { GraphBuilder, Value } from "../graph/builder.ts";
import { multiply } from "../graph/operators.ts";
import { silu } from "./activation.ts";

/** SiLU(gate)·up, elementwise (Shazeer, "GLU variants", 2020); SiLU(x) = x·σ(x). */
export function swiglu(graph: GraphBuilder, gate: Value, up: Value): Value {
  return multiply(graph, silu(graph, gate), up);
}
