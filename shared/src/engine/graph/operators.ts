import { invariant } from "../../core/errors.ts";
import type { Dimension, ElementType, GraphBuilder, Value } from "./builder.ts";

/** ONNX Runtime's own operators. */
export const MICROSOFT = "com.microsoft";

type Elementwise = "Add" | "Sub" | "Mul" | "Div" | "Max";
type Unary = "Neg" | "Exp" | "Log" | "Sigmoid" | "Tanh" | "Erf" | "Sign" | "Relu";
type Reduction = "ReduceSum" | "ReduceMax" | "ReduceMean";

/** Elementwise with broadcasting from the right. */
export function elementwise(graph: GraphBuilder, operator: Elementwise, a: Value, b: Value): Value {
  return graph.apply(operator, [a, b], { type: a.type, shape: broadcast(a.shape, b.shape) });
}

export const add = (graph: GraphBuilder, a: Value, b: Value) => elementwise(graph, "Add", a, b);
export const subtract = (graph: GraphBuilder, a: Value, b: Value) => elementwise(graph, "Sub", a, b);
export const multiply = (graph: GraphBuilder, a: Value, b: Value) => elementwise(graph, "Mul", a, b);
export const divide = (graph: GraphBuilder, a: Value, b: Value) => elementwise(graph, "Div", a, b);

export function unary(graph: GraphBuilder, operator: Unary, a: Value): Value {
  return graph.apply(operator, [a], { shape: a.shape });
}

/** The elements of a where the condition is true, else those of b; all broadcast. */
export function where(graph: GraphBuilder, condition: Value, a: Value, b: Value): Value {
  const shape = broadcast(condition.shape, broadcast(a.shape, b.shape));
  return graph.apply("Where", [condition, a, b], { type: a.type, shape });
}

/** Sum of one or more values of one shape. */
export function sum(graph: GraphBuilder, values: readonly Value[]): Value {
  if (values.length === 1) return values[0];
  if (values.length === 2) return add(graph, values[0], values[1]);
  return graph.apply("Sum", values, { shape: values[0].shape });
}

/** @param axes - negative ones count from the end */
export function reduce(
  graph: GraphBuilder,
  operator: Reduction,
  a: Value,
  axes: readonly number[],
  keep = true,
): Value {
  const positive = axes.map((axis) => (axis < 0 ? axis + a.shape.length : axis));
  const shape = a.shape.flatMap((dimension, axis) => (positive.includes(axis) ? (keep ? [1] : []) : [dimension]));
  return graph.apply(operator, [a, graph.list(positive)], { shape }, { keepdims: keep ? 1 : 0 });
}

/** Sums a gradient over the axes along which its value was broadcast. */
export function unbroadcast(graph: GraphBuilder, gradient: Value, shape: readonly Dimension[]): Value {
  const extra = gradient.shape.length - shape.length;
  const added = gradient.shape.slice(0, extra).map((_, axis) => axis);
  const summed = added.length ? reduce(graph, "ReduceSum", gradient, added, false) : gradient;
  const stretched = shape.flatMap((dimension, axis) => (dimension === 1 && summed.shape[axis] !== 1 ? [axis] : []));
  return stretched.length ? reduce(graph, "ReduceSum", summed, stretched) : summed;
}

/** a [M, K] (or [K, M] where transposeA), b [K, N] (or [N, K] where transposeB) → scale·a·b + c, [M, N]. */
export function gemm(
  graph: GraphBuilder,
  a: Value,
  b: Value,
  options: { transposeA?: boolean; transposeB?: boolean; scale?: number; c?: Value } = {},
): Value {
  const { transposeA = false, transposeB = false, scale = 1, c } = options;
  const [rows, inner] = transposeA ? [a.shape[1], a.shape[0]] : a.shape;
  const [innerB, columns] = transposeB ? [b.shape[1], b.shape[0]] : b.shape;
  invariant(inner === innerB, "GRAPH_SHAPE", `Gemm: inner sizes differ, [${a.shape}] and [${b.shape}]`);
  return graph.apply(
    "Gemm",
    c ? [a, b, c] : [a, b],
    { shape: [rows, columns] },
    { transA: +transposeA, transB: +transposeB, alpha: { float: scale }, beta: { float: 1 } },
  );
}

/** Products of stacks of matrices, [..., M, K] by [..., K, N]; both stacks have the same shape. */
export function batchedMatmul(
  graph: GraphBuilder,
  a: Value,
  b: Value,
  options: { transposeA?: boolean; transposeB?: boolean; scale?: number } = {},
): Value {
  const { transposeA = false, transposeB = false, scale = 1 } = options;
  const rows = a.shape.at(transposeA ? -1 : -2)!;
  const columns = b.shape.at(transposeB ? -2 : -1)!;
  return graph.apply(
    "FusedMatMul",
    [a, b],
    { shape: [...a.shape.slice(0, -2), rows, columns] },
    { transA: +transposeA, transB: +transposeB, alpha: { float: scale } },
    MICROSOFT,
  );
}

/**
 * The same elements in another shape. At most one named dimension may differ from the input's at the same axis, else all
 * named ones must be dimensions of the graph's inputs.
 */
export function reshape(graph: GraphBuilder, a: Value, shape: readonly Dimension[]): Value {
  if (sameShape(a.shape, shape)) return a;
  const plan = shape.map((dimension, axis) =>
    typeof dimension === "number" ? dimension : a.shape[axis] === dimension ? 0 : -1,
  );
  const target = plan.filter((size) => size === -1).length <= 1 ? graph.list(plan) : graph.shapeTensor(shape);
  return graph.apply("Reshape", [a, target], { type: a.type, shape });
}

export function transpose(graph: GraphBuilder, a: Value, order: readonly number[]): Value {
  return graph.apply("Transpose", [a], { type: a.type, shape: order.map((axis) => a.shape[axis]) }, { perm: order });
}

/** Takes slices along axis 0: table [N, ...], indices [M...] → [M..., ...]. */
export function gather(graph: GraphBuilder, table: Value, indices: Value): Value {
  return graph.apply(
    "Gather",
    [table, indices],
    {
      type: table.type,
      shape: [...indices.shape, ...table.shape.slice(1)],
    },
    { axis: 0 },
  );
}

/** Each row's own elements: a [N, V], indices [N, K] → [N, K]; a negative index counts from the row's end. */
export function gatherInRows(graph: GraphBuilder, a: Value, indices: Value): Value {
  return graph.apply("GatherElements", [a, indices], { type: a.type, shape: indices.shape }, { axis: 1 });
}

/** Adds updates [N, K] to each row's own elements of a [N, V]; equal indices add up. */
export function addInRows(graph: GraphBuilder, a: Value, indices: Value, updates: Value): Value {
  return scatterAdd(graph, a, indices, updates, 1);
}

/** Adds updates to a's elements along an axis, in a fixed order; indices and updates have one shape. */
export function scatterAdd(graph: GraphBuilder, a: Value, indices: Value, updates: Value, axis: number): Value {
  return graph.apply(
    "ScatterElements",
    [a, indices, updates],
    { shape: a.shape },
    { axis, reduction: { text: "add" } },
  );
}

export function concat(graph: GraphBuilder, values: readonly Value[], axis: number, size: Dimension): Value {
  if (values.length === 1) return values[0];
  const shape = values[0].shape.map((dimension, at) => (at === axis ? size : dimension));
  return graph.apply("Concat", values, { type: values[0].type, shape }, { axis });
}

/** Parts of these sizes along an axis, one after the other. */
export function split(graph: GraphBuilder, a: Value, sizes: readonly Dimension[], axis: number): Value[] {
  const part = (size: Dimension) => ({
    type: a.type,
    shape: a.shape.map((dimension, at) => (at === axis ? size : dimension)),
  });
  return graph.applyMany("Split", [a, graph.shapeTensor(sizes)], sizes.map(part), { axis });
}

export function cast(graph: GraphBuilder, a: Value, type: ElementType): Value {
  return a.type === type ? a : graph.apply("Cast", [a], { type, shape: a.shape }, { to: ELEMENT_CODES[type] });
}

/** Zeros of a value's run-time shape. */
export function zerosLike(graph: GraphBuilder, a: Value): Value {
  const shape = graph.apply("Shape", [a], { type: "int64", shape: [a.shape.length] });
  return graph.apply("ConstantOfShape", [shape], { shape: a.shape });
}

/** ONNX's numbers for element types. */
export const ELEMENT_CODES: Record<ElementType, number> = {
  float32: 1,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  bfloat16: 16,
};

export function sameShape(a: readonly Dimension[], b: readonly Dimension[]): boolean {
  return a.length === b.length && a.every((dimension, axis) => dimension === b[axis]);
}

function broadcast(a: readonly Dimension[], b: readonly Dimension[]): Dimension[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    invariant(left === right || left === 1 || right === 1, "GRAPH_SHAPE", `[${a}] and [${b}] do not broadcast`);
    return left === 1 ? right : left;
  });
}
