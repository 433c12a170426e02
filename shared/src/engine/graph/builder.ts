import { invariant } from "../../core/errors.ts";

export type ElementType = "float32" | "float16" | "bfloat16" | "int32" | "int64" | "bool";

/** A size known now, or the name of one known when the graph runs, such as "batch"; equal names mean equal sizes. */
export type Dimension = number | string;

/** A tensor that flows through a graph. */
export interface Value {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly Dimension[];
  /** whether something trainable went into it, so that the backward pass has to go through it */
  readonly needsGradient: boolean;
}

/** Whole numbers and lists of them; other kinds say what they are. */
export type Attribute = number | readonly number[] | { readonly float: number } | { readonly text: string };
export type Attributes = Readonly<Record<string, Attribute>>;

export interface GraphNode {
  readonly operator: string;
  /** "" is ONNX's own; "com.microsoft" ONNX Runtime's additions */
  readonly domain: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attributes: Attributes;
}

/** A constant: its bytes, or where they lie in a file beside the graph. */
export interface Initializer {
  readonly value: Value;
  readonly data: Uint8Array | { readonly file: string; readonly begin: number; readonly length: number };
}

/** A constant that lies in this process's memory. */
export interface Resident {
  readonly value: Value;
  readonly data: Float32Array;
}

/** What a node gives: its type and shape. */
export interface OutputSpec {
  readonly type?: ElementType;
  readonly shape: readonly Dimension[];
}

/** Writes an ONNX graph node by node, in the order in which it runs. Knows no operator; `operators.ts` does. */
export class GraphBuilder {
  readonly nodes: GraphNode[] = [];
  readonly initializers: Initializer[] = [];
  readonly residents: Resident[] = [];
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];
  readonly #constants = new Map<string, Value>();
  readonly #dimensions = new Map<string, { input: Value; axis: number }>();
  readonly #dimensionValues = new Map<string, Value>();
  #counter = 0;

  /** A value that is fed at each run. Its named dimensions become known to {@link shapeTensor}. */
  input(name: string, type: ElementType, shape: readonly Dimension[], needsGradient = false): Value {
    const value = { name, type, shape, needsGradient };
    this.inputs.push(value);
    shape.forEach((dimension, axis) => {
      if (typeof dimension === "string" && !this.#dimensions.has(dimension))
        this.#dimensions.set(dimension, { input: value, axis });
    });
    return value;
  }

  /** Makes a value a result of the graph, under that name. */
  output(name: string, value: Value): void {
    const output = { name, type: value.type, shape: value.shape, needsGradient: false };
    this.nodes.push({ operator: "Identity", domain: "", inputs: [value], outputs: [output], attributes: {} });
    this.outputs.push(output);
  }

  /** Takes away what leads to no output. */
  prune(): void {
    const needed = new Set(this.outputs.map(({ name }) => name));
    const kept: GraphNode[] = [];
    for (const node of [...this.nodes].reverse()) {
      if (!node.outputs.some(({ name }) => needed.has(name))) continue;
      for (const { name } of node.inputs) needed.add(name);
      kept.push(node);
    }
    this.nodes.length = 0;
    for (const node of kept.reverse()) this.nodes.push(node);
  }

  apply(
    operator: string,
    inputs: readonly Value[],
    output: OutputSpec,
    attributes?: Attributes,
    domain?: string,
  ): Value {
    return this.applyMany(operator, inputs, [output], attributes, domain)[0];
  }

  /** Adds a node. Floating-point outputs of a node with an input that needs a gradient need one too. */
  applyMany(
    operator: string,
    inputs: readonly Value[],
    outputs: readonly OutputSpec[],
    attributes: Attributes = {},
    domain = "",
  ): Value[] {
    const trains = inputs.some((input) => input.needsGradient);
    const values = outputs.map(({ type = "float32", shape }) => ({
      name: `${operator}_${this.#counter++}`,
      type,
      shape,
      needsGradient: trains && type === "float32",
    }));
    this.nodes.push({ operator, domain, inputs, outputs: values, attributes });
    return values;
  }

  /** A constant tensor; equal small ones are made once. */
  constant(type: "float32" | "int32" | "int64", shape: readonly number[], numbers: readonly number[]): Value {
    const key = `${type}[${shape}]${numbers}`;
    const known = this.#constants.get(key);
    if (known) return known;
    const data =
      type === "float32"
        ? Float32Array.from(numbers)
        : type === "int32"
          ? Int32Array.from(numbers)
          : BigInt64Array.from(numbers, BigInt);
    const value: Value = { name: `constant_${this.#counter++}`, type, shape, needsGradient: false };
    this.initializers.push({ value, data: new Uint8Array(data.buffer) });
    this.#constants.set(key, value);
    return value;
  }

  scalar(number: number): Value {
    return this.constant("float32", [], [number]);
  }

  /** A list of int64, as shapes, axes and sizes are given. */
  list(numbers: readonly number[]): Value {
    return this.constant("int64", [numbers.length], numbers);
  }

  /** A constant tensor whose bytes stay in a file. */
  external(
    name: string,
    type: ElementType,
    shape: readonly number[],
    place: { file: string; begin: number; length: number },
  ): Value {
    const value: Value = { name, type, shape, needsGradient: false };
    this.initializers.push({ value, data: place });
    return value;
  }

  /** A constant tensor that every run is given where it lies in memory: ONNX Runtime makes no copy of it. */
  resident(name: string, data: Float32Array, shape: readonly number[]): Value {
    const value: Value = { name, type: "float32", shape, needsGradient: false };
    this.residents.push({ value, data });
    return value;
  }

  /** @returns the shape as a run-time int64 list; every named dimension must be one of an input's */
  shapeTensor(shape: readonly Dimension[]): Value {
    if (shape.every((dimension) => typeof dimension === "number")) return this.list(shape);
    const key = `shape ${shape}`;
    const known = this.#constants.get(key);
    if (known) return known;
    const parts = shape.map((dimension) =>
      typeof dimension === "number" ? this.list([dimension]) : this.#dimension(dimension),
    );
    const value = this.apply("Concat", parts, { type: "int64", shape: [shape.length] }, { axis: 0 });
    this.#constants.set(key, value);
    return value;
  }

  #dimension(name: string): Value {
    const known = this.#dimensionValues.get(name);
    if (known) return known;
    const origin = this.#dimensions.get(name);
    invariant(origin, "GRAPH_DIMENSION_UNKNOWN", `no input of the graph has a dimension named ${name}`);
    const { input, axis } = origin;
    const value = this.apply("Shape", [input], { type: "int64", shape: [1] }, { start: axis, end: axis + 1 });
    this.#dimensionValues.set(name, value);
    return value;
  }
}
