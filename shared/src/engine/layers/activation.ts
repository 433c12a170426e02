import type { GraphBuilder, Value } from "../graph/builder.ts";
import { MICROSOFT, unary } from "../graph/operators.ts";

type Activation = (graph: GraphBuilder, x: Value) => Value;

/** x·Φ(x), Φ the standard normal distribution (Hendrycks and Gimpel, 2016). */
export const gelu: Activation = (graph, x) =>
  graph.apply("Gelu", [x], { shape: x.shape }, { approximate: { text: "none" } });

/** GELU with Φ approximated by tanh. */
export const geluByTanh: Activation = (graph, x) =>
  graph.apply("Gelu", [x], { shape: x.shape }, { approximate: { text: "tanh" } });

/** x·σ(alpha·x); with alpha 1 it is SiLU. */
const sigmoidGated = (graph: GraphBuilder, x: Value, alpha: number): Value =>
  graph.apply("QuickGelu", [x], { shape: x.shape }, { alpha: { float: alpha } }, MICROSOFT);

export const silu: Activation = (graph, x) => sigmoidGated(graph, x, 1);

const relu: Activation = (graph, x) => unary(graph, "Relu", x);

/** By transformers' names for them; several are one function. */
export const ACTIVATIONS = {
  relu,
  gelu,
  gelu_python: gelu,
  gelu_new: geluByTanh,
  gelu_fast: geluByTanh,
  gelu_pytorch_tanh: geluByTanh,
  silu,
  swish: silu,
  quick_gelu: (graph, x) => sigmoidGated(graph, x, 1.702),
} satisfies Readonly<Record<string, Activation>>;

export type ActivationName = keyof typeof ACTIVATIONS;

export const ACTIVATION_NAMES = Object.keys(ACTIVATIONS) as ActivationName[];
