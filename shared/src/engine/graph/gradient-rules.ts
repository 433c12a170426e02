import { invariant } from "../../core/errors.ts";
import type { Attributes, GraphBuilder, GraphNode, Value } from "./builder.ts";
import {
  add,
  batchedMatmul,
  concat,
  gemm,
  multiply,
  reduce,
  reshape,
  scatterAdd,
  subtract,
  transpose,
  unary,
  unbroadcast,
  where,
  zerosLike,
} from "./operators.ts";

/**
 * From the gradient of a node's first output, those of its inputs, in their order; null where an input needs none. A rule
 * only writes what is needed: a frozen weight's gradient is never computed.
 *
 * @param all - of every output, for operators with several that are used; null where nothing leads to it
 */
export type GradientRule = (
  graph: GraphBuilder,
  node: GraphNode,
  gradient: Value,
  all: readonly (Value | null)[],
) => (Value | null)[];

type PairRule = (graph: GraphBuilder, first: GraphNode, second: GraphNode, gradient: Value) => (Value | null)[];

/** Reverse-mode rules by operator. An operator without a row cannot be trained through: {@link gradients} says which. */
export const GRADIENT_RULES: Readonly<Record<string, GradientRule>> = {
  Identity: (_graph, _node, gradient) => [gradient],

  Add: (graph, { inputs }, gradient) =>
    inputs.map((input) => (input.needsGradient ? unbroadcast(graph, gradient, input.shape) : null)),

  Mul: (graph, { inputs: [a, b] }, gradient) => [
    a.needsGradient ? unbroadcast(graph, multiply(graph, gradient, b), a.shape) : null,
    b.needsGradient ? unbroadcast(graph, multiply(graph, gradient, a), b.shape) : null,
  ],

  Where: (graph, { inputs: [condition, a, b] }, gradient) => {
    const zero = graph.scalar(0);
    return [
      null,
      a.needsGradient ? unbroadcast(graph, where(graph, condition, gradient, zero), a.shape) : null,
      b.needsGradient ? unbroadcast(graph, where(graph, condition, zero, gradient), b.shape) : null,
    ];
  },

  Reshape: (graph, { inputs: [a] }, gradient) => [reshape(graph, gradient, a.shape), null],

  Transpose: (graph, { attributes }, gradient) => {
    const order = attributes.perm as readonly number[];
    return [
      transpose(
        graph,
        gradient,
        order.map((_, axis) => order.indexOf(axis)),
      ),
    ];
  },

  Gemm: (graph, { inputs: [a, b, c], attributes }, gradient) => {
    invariant(attributes.transA === 0, "GRADIENT_RULE", "Gemm: no rule where the first matrix is transposed");
    const transposeB = attributes.transB === 1;
    const scale = floatOf(attributes, "alpha");
    const ofA = a.needsGradient ? gemm(graph, gradient, b, { transposeB: !transposeB, scale }) : null;
    const [left, right] = transposeB ? [gradient, a] : [a, gradient];
    const ofB = b.needsGradient ? gemm(graph, left, right, { transposeA: true, scale }) : null;
    if (!c) return [ofA, ofB];
    return [ofA, ofB, c.needsGradient ? unbroadcast(graph, gradient, c.shape) : null];
  },

  FusedMatMul: (graph, { inputs: [a, b], attributes }, gradient) => {
    invariant(attributes.transA === 0, "GRADIENT_RULE", "FusedMatMul: no rule where the first stack is transposed");
    const transposeB = attributes.transB === 1;
    const scale = floatOf(attributes, "alpha");
    const ofA = a.needsGradient ? batchedMatmul(graph, gradient, b, { transposeB: !transposeB, scale }) : null;
    const [left, right] = transposeB ? [gradient, a] : [a, gradient];
    return [ofA, b.needsGradient ? transposedProduct(graph, left, right, scale) : null];
  },

  Softmax: (graph, { outputs: [y] }, gradient) => {
    const weighted = multiply(graph, gradient, y);
    return [subtract(graph, weighted, multiply(graph, y, reduce(graph, "ReduceSum", weighted, [-1])))];
  },

  /** RMS norm: y = x·r·γ with r = 1/√(mean x² + ε), the node's second output. */
  SimplifiedLayerNormalization: (graph, { inputs: [x, gamma], outputs: [, inverse] }, gradient) => {
    let ofX: Value | null = null;
    if (x.needsGradient) {
      const scaled = multiply(graph, gradient, gamma);
      const mean = reduce(graph, "ReduceMean", multiply(graph, scaled, x), [-1]);
      const cubed = multiply(graph, multiply(graph, inverse, inverse), inverse);
      ofX = subtract(graph, multiply(graph, scaled, inverse), multiply(graph, x, multiply(graph, cubed, mean)));
    }
    if (!gamma.needsGradient) return [ofX, null];
    return [ofX, unbroadcast(graph, multiply(graph, gradient, multiply(graph, x, inverse)), gamma.shape)];
  },

  /** y = x·r·γ + β with x brought to mean 0 and r = 1/√(variance + ε), the node's third output; its second is the mean. */
  LayerNormalization: (graph, { inputs: [x, gamma, beta], outputs: [, mean, inverse] }, gradient) => {
    const normal = multiply(graph, subtract(graph, x, mean), inverse);
    let ofX: Value | null = null;
    if (x.needsGradient) {
      const scaled = multiply(graph, gradient, gamma);
      const along = reduce(graph, "ReduceMean", multiply(graph, scaled, normal), [-1]);
      const centred = subtract(graph, scaled, reduce(graph, "ReduceMean", scaled, [-1]));
      ofX = multiply(graph, inverse, subtract(graph, centred, multiply(graph, normal, along)));
    }
    return [
      ofX,
      gamma.needsGradient ? unbroadcast(graph, multiply(graph, gradient, normal), gamma.shape) : null,
      beta?.needsGradient ? unbroadcast(graph, gradient, beta.shape) : null,
    ];
  },

  /** y = x·σ(αx), with alpha 1 SiLU: dy/dx = σ + α·y·(1 − σ). */
  QuickGelu: (graph, { inputs: [x], outputs: [y], attributes }, gradient) => {
    const alpha = floatOf(attributes, "alpha");
    const times = (a: Value) => (alpha === 1 ? a : multiply(graph, a, graph.scalar(alpha)));
    const sigmoid = unary(graph, "Sigmoid", times(x));
    const slope = add(graph, sigmoid, times(subtract(graph, y, multiply(graph, y, sigmoid))));
    return [multiply(graph, gradient, slope)];
  },

  /**
   * y = x·Φ(x): dy/dx = Φ + x·φ, with Φ the standard normal distribution and φ its density. By tanh, y = x·σ(2u) with
   * u = √(2/π)·(x + 0.044715·x³): dy/dx = σ + 2u'·y·(1 − σ).
   */
  Gelu: (graph, { inputs: [x], outputs: [y], attributes }, gradient) => {
    const scaled = (a: Value, factor: number) => multiply(graph, a, graph.scalar(factor));
    const plus = (a: Value, term: number) => add(graph, a, graph.scalar(term));
    const square = multiply(graph, x, x);
    if ((attributes.approximate as { text: string }).text === "tanh") {
      const twice = 2 * Math.sqrt(2 / Math.PI);
      const sigmoid = unary(graph, "Sigmoid", multiply(graph, x, plus(scaled(square, twice * 0.044715), twice)));
      const slope = plus(scaled(square, 3 * twice * 0.044715), twice);
      const rest = subtract(graph, y, multiply(graph, y, sigmoid));
      return [multiply(graph, gradient, add(graph, sigmoid, multiply(graph, rest, slope)))];
    }
    const distribution = scaled(plus(unary(graph, "Erf", scaled(x, Math.SQRT1_2)), 1), 0.5);
    const density = scaled(unary(graph, "Exp", scaled(square, -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return [multiply(graph, gradient, add(graph, distribution, multiply(graph, x, density)))];
  },

  Tanh: (graph, { outputs: [y] }, gradient) => [
    multiply(graph, gradient, subtract(graph, graph.scalar(1), multiply(graph, y, y))),
  ],

  /** At 0 torch's slope, which is 0. */
  Relu: (graph, { outputs: [y] }, gradient) => [multiply(graph, gradient, unary(graph, "Sign", y))],

  Split: (graph, { inputs: [a], outputs, attributes }, _gradient, all) => {
    const axis = attributes.axis as number;
    const parts = outputs.map((output, index) => all[index] ?? zerosLike(graph, output));
    return [concat(graph, parts, axis, a.shape[axis]), null];
  },

  /** A rotation: its gradient is turned back, by the negated sines. */
  RotaryEmbedding: (graph, { inputs: [, position, cosines, sines], attributes, domain }, gradient) => [
    graph.apply(
      "RotaryEmbedding",
      [gradient, position, cosines, unary(graph, "Neg", sines)],
      { shape: gradient.shape },
      attributes,
      domain,
    ),
    null,
    null,
    null,
  ],

  /** Rows of a table: each row's gradient is added where it came from. */
  Gather: (graph, { inputs: [table, indices] }, gradient) => {
    invariant(indices.shape.length === 1 && table.shape.length === 2, "GRADIENT_RULE", "Gather: rows of a matrix only");
    const zeros = zerosLike(graph, table);
    const column = reshape(graph, indices, [...indices.shape, 1]);
    const shape = graph.apply("Shape", [gradient], { type: "int64", shape: [2] });
    const spread = graph.apply("Expand", [column, shape], { type: indices.type, shape: gradient.shape });
    return [scatterAdd(graph, zeros, spread, gradient, 0), null];
  },
};

/**
 * Rules for two nodes at once, by their operators: the second takes as its first input what the first made, and nothing else does.
 * They give the gradients of the first node's inputs, then of the second node's.
 */
export const PAIR_RULES: Readonly<Record<string, PairRule>> = {
  /**
   * Attention: y = s·p·v with p = softmax(x). By p the gradient is s·g·vᵀ, and of it softmax takes away its mean weighted by p;
   * row by row that is Σ g∘y, which is much narrower than p.
   */
  "Softmax FusedMatMul": (graph, softmax, product, gradient) => {
    const [weights] = softmax.outputs;
    const [ofWeights, ofValues] = GRADIENT_RULES.FusedMatMul(graph, product, gradient, [gradient]);
    if (!ofWeights) return [null, ofValues];
    const mean = reduce(graph, "ReduceSum", multiply(graph, gradient, product.outputs[0]), [-1]);
    return [multiply(graph, weights, subtract(graph, ofWeights, mean)), ofValues];
  },
};

/**
 * scale·leftᵀ·right of stacks. ONNX Runtime takes three times as long where it has to transpose a wide matrix, as attention's
 * weights are, as where it transposes a narrow one: then it computes rightᵀ·left, and that is transposed.
 */
function transposedProduct(graph: GraphBuilder, left: Value, right: Value, scale: number): Value {
  const [width, other] = [right.shape.at(-1)!, left.shape.at(-1)!];
  // a size known only when the graph runs, such as the tokens, counts as wide
  const isNarrower = typeof width === "number" && (typeof other === "string" || width < other);
  if (!isNarrower) return batchedMatmul(graph, left, right, { transposeA: true, scale });
  const axes = left.shape.map((_, axis) => axis);
  const swapped = [...axes.slice(0, -2), axes.length - 1, axes.length - 2];
  return transpose(graph, batchedMatmul(graph, right, left, { transposeA: true, scale }), swapped);
}

function floatOf(attributes: Attributes, name: string): number {
  return (attributes[name] as { float: number }).float;
}
