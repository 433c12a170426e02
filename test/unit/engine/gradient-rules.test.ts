import { describe, expect, it } from "@jest/globals";
import { GraphBuilder, type Value } from "../../../shared/src/engine/graph/builder.ts";
import { gradients } from "../../../shared/src/engine/graph/gradient.ts";
import { GRADIENT_RULES } from "../../../shared/src/engine/graph/gradient-rules.ts";
import {
  add,
  batchedMatmul,
  cast,
  gather,
  gemm,
  multiply,
  reshape,
  split,
  transpose,
  where,
} from "../../../shared/src/engine/graph/operators.ts";
import { ACTIVATIONS } from "../../../shared/src/engine/layers/activation.ts";
import { layerNorm } from "../../../shared/src/engine/layers/layer-norm.ts";
import { rmsNorm } from "../../../shared/src/engine/layers/rms-norm.ts";
import { rotary } from "../../../shared/src/engine/layers/rotary.ts";
import { softcapped } from "../../../shared/src/engine/layers/softcap.ts";
import { createSession, type HostTensor } from "../../../shared/src/engine/session.ts";
import { wave } from "./run-graph.ts";

const STEP = 1e-2;
const TOLERANCE = 2e-3;

interface RuleCase {
  operator: string;
  what: string;
  /** shapes of the trained inputs */
  shapes: number[][];
  build: (graph: GraphBuilder, inputs: Value[]) => Value;
}

const indices = (graph: GraphBuilder) => graph.constant("int32", [4], [2, 0, 2, 1]);

const softmax = (graph: GraphBuilder, scores: Value) =>
  graph.apply("Softmax", [scores], { shape: scores.shape }, { axis: -1 });

const CASES: RuleCase[] = [
  {
    operator: "Identity",
    what: "one value",
    shapes: [[3]],
    build: (graph, [a]) => graph.apply("Identity", [a], { shape: a.shape }),
  },
  {
    operator: "Add",
    what: "two of one shape",
    shapes: [
      [2, 3],
      [2, 3],
    ],
    build: (graph, [a, b]) => add(graph, a, b),
  },
  {
    operator: "Add",
    what: "a broadcast row and column",
    shapes: [[3], [2, 1]],
    build: (graph, [a, b]) => add(graph, a, b),
  },
  {
    operator: "Mul",
    what: "two of one shape",
    shapes: [
      [2, 3],
      [2, 3],
    ],
    build: (graph, [a, b]) => multiply(graph, a, b),
  },
  {
    operator: "Mul",
    what: "a matrix and a broadcast column",
    shapes: [
      [2, 3],
      [2, 1],
    ],
    build: (graph, [a, b]) => multiply(graph, a, b),
  },
  {
    operator: "Where",
    what: "a matrix, and a broadcast row elsewhere",
    shapes: [[2, 3], [3]],
    build: (graph, [a, b]) => {
      const chosen = graph.constant("float32", [2, 3], [1, 0, 0, 1, 1, 0]);
      return where(graph, cast(graph, chosen, "bool"), a, b);
    },
  },
  { operator: "Reshape", what: "a matrix", shapes: [[2, 6]], build: (graph, [a]) => reshape(graph, a, [3, 4]) },
  {
    operator: "Transpose",
    what: "three axes in a circle",
    shapes: [[2, 3, 4]],
    build: (graph, [a]) => transpose(graph, a, [1, 2, 0]),
  },
  {
    operator: "Gemm",
    what: "x·W + b",
    shapes: [[2, 3], [3, 4], [4]],
    build: (graph, [a, b, c]) => gemm(graph, a, b, { c, scale: 0.7 }),
  },
  {
    operator: "Gemm",
    what: "x·Wᵀ + y",
    shapes: [
      [2, 3],
      [4, 3],
      [2, 4],
    ],
    build: (graph, [a, b, c]) => gemm(graph, a, b, { c, transposeB: true, scale: 1.3 }),
  },
  {
    operator: "FusedMatMul",
    what: "stacks",
    shapes: [
      [2, 2, 3],
      [2, 3, 4],
    ],
    build: (graph, [a, b]) => batchedMatmul(graph, a, b, { scale: 0.5 }),
  },
  {
    operator: "FusedMatMul",
    what: "stacks, the second transposed",
    shapes: [
      [2, 2, 3],
      [2, 4, 3],
    ],
    build: (graph, [a, b]) => batchedMatmul(graph, a, b, { transposeB: true, scale: 0.5 }),
  },
  {
    operator: "Softmax",
    what: "rows",
    shapes: [[2, 4]],
    build: (graph, [a]) => softmax(graph, a),
  },
  {
    operator: "Softmax",
    what: "scores that mix values",
    shapes: [
      [2, 2, 3],
      [2, 3, 4],
    ],
    build: (graph, [scores, values]) => batchedMatmul(graph, softmax(graph, scores), values, { scale: 0.5 }),
  },
  {
    operator: "Softmax",
    what: "scores that mix transposed values, fewer than there are keys",
    shapes: [
      [2, 2, 4],
      [2, 3, 4],
    ],
    build: (graph, [scores, values]) => batchedMatmul(graph, softmax(graph, scores), values, { transposeB: true }),
  },
  {
    operator: "Softmax",
    what: "scores that mix values and are looked at besides",
    shapes: [
      [2, 2, 3],
      [2, 3, 3],
    ],
    build: (graph, [scores, values]) => {
      const weights = softmax(graph, scores);
      return add(graph, batchedMatmul(graph, weights, values), multiply(graph, weights, weights));
    },
  },
  {
    operator: "SimplifiedLayerNormalization",
    what: "rows and scale",
    shapes: [[3, 4], [4]],
    build: (graph, [a, b]) => rmsNorm(graph, a, b, 1e-5),
  },
  {
    operator: "LayerNormalization",
    what: "rows, scale and shift",
    shapes: [[3, 4], [4], [4]],
    build: (graph, [x, gamma, beta]) => layerNorm(graph, x, { gamma, beta }, 1e-5),
  },
  {
    operator: "LayerNormalization",
    what: "rows and scale",
    shapes: [[3, 4], [4]],
    build: (graph, [x, gamma]) => layerNorm(graph, x, { gamma, beta: null }, 1e-5),
  },
  {
    operator: "LayerNormalization",
    what: "rows alone",
    shapes: [[3, 4]],
    build: (graph, [x]) => layerNorm(graph, x, { gamma: null, beta: null }, 1e-5),
  },
  { operator: "QuickGelu", what: "SiLU", shapes: [[3, 4]], build: (graph, [a]) => ACTIVATIONS.silu(graph, a) },
  {
    operator: "QuickGelu",
    what: "α = 1.702",
    shapes: [[3, 4]],
    build: (graph, [a]) => ACTIVATIONS.quick_gelu(graph, a),
  },
  { operator: "Gelu", what: "the exact one", shapes: [[3, 4]], build: (graph, [a]) => ACTIVATIONS.gelu(graph, a) },
  {
    operator: "Gelu",
    what: "the one by tanh",
    shapes: [[3, 4]],
    build: (graph, [a]) => ACTIVATIONS.gelu_new(graph, a),
  },
  {
    operator: "Relu",
    what: "rows, none of them near 0",
    shapes: [[3, 4]],
    build: (graph, [a]) => ACTIVATIONS.relu(graph, add(graph, a, graph.scalar(0.05))),
  },
  {
    operator: "Split",
    what: "three parts, of which the first is not used",
    shapes: [[2, 6]],
    build: (graph, [a]) => {
      const [, second, third] = split(graph, a, [2, 1, 3], 1);
      return multiply(graph, second, third);
    },
  },
  {
    operator: "Tanh",
    what: "a softcap at 0.8",
    shapes: [[3, 4]],
    build: (graph, [a]) => softcapped(graph, a, 0.8),
  },
  {
    operator: "RotaryEmbedding",
    what: "two heads of size 4 at three positions",
    shapes: [[1, 2, 3, 4]],
    build: (graph, [a]) => {
      const angles = [0, 0, 1, 0.1, 2, 0.2];
      return rotary(graph, a, {
        positions: graph.list([0]),
        cosines: graph.constant("float32", [3, 2], angles.map(Math.cos)),
        sines: graph.constant("float32", [3, 2], angles.map(Math.sin)),
      });
    },
  },
  {
    operator: "RotaryEmbedding",
    what: "two heads of size 5 of which 2 coordinates are turned",
    shapes: [[2, 2, 3, 5]],
    build: (graph, [a]) => {
      const angles = [0, 1, 2];
      return rotary(graph, a, {
        positions: graph.list([0]),
        cosines: graph.constant("float32", [3, 1], angles.map(Math.cos)),
        sines: graph.constant("float32", [3, 1], angles.map(Math.sin)),
      });
    },
  },
  {
    operator: "Gather",
    what: "rows, one of them twice",
    shapes: [[3, 2]],
    build: (graph, [a]) => gather(graph, a, indices(graph)),
  },
];

const size = (shape: readonly number[]) => shape.reduce((product, count) => product * count, 1);

describe("gradient rules", () => {
  it.each(CASES.map((rule) => [rule.operator, rule.what, rule] as const))(
    "agree with finite differences: %s of %s",
    async (operator, _what, { shapes, build }) => {
      const graph = new GraphBuilder();
      const inputs = shapes.map((shape, index) => graph.input(`input${index}`, "float32", shape, true));
      const y = build(graph, inputs);
      expect(graph.nodes.some((node) => node.operator === operator)).toBe(true);
      const outputShape = y.shape as number[];
      const weights = wave(size(outputShape), 9);
      const seed = graph.input("seed", "float32", outputShape);
      gradients(graph, [{ value: y, gradient: seed }], inputs).forEach((gradient, index) => {
        graph.output(`gradient${index}`, gradient);
      });
      graph.output("y", y);
      const session = await createSession(graph, import.meta.dirname, 1);
      const values = shapes.map((shape, index) => wave(size(shape), index));
      const run = () => {
        const feeds: Record<string, HostTensor> = { seed: { data: weights, shape: outputShape } };
        values.forEach((data, index) => {
          feeds[`input${index}`] = { data, shape: shapes[index] };
        });
        return session.run(feeds);
      };
      const objective = async () =>
        Array.from((await run()).y.data).reduce((sum, value, index) => sum + value * weights[index], 0);
      const analytic = await run();
      for (const [index, data] of values.entries())
        for (let at = 0; at < data.length; at++) {
          const kept = data[at];
          data[at] = kept + STEP;
          const above = await objective();
          data[at] = kept - STEP;
          const below = await objective();
          data[at] = kept;
          expect(Math.abs(analytic[`gradient${index}`].data[at] - (above - below) / (2 * STEP))).toBeLessThan(
            TOLERANCE,
          );
        }
      await session.close();
    },
  );

  it("are each held by a case above", () => {
    expect([...new Set(CASES.map(({ operator }) => operator))].sort()).toEqual(Object.keys(GRADIENT_RULES).sort());
  });

  it("name the operator that has none", () => {
    const graph = new GraphBuilder();
    const x = graph.input("x", "float32", [2], true);
    const y = graph.apply("Erf", [x], { shape: [2] });
    expect(() => gradients(graph, [{ value: y, gradient: x }], [x])).toThrow("no gradient rule for the operator Erf");
  });

  it("sum over what attention gives, not over its weights", () => {
    const graph = new GraphBuilder();
    const scores = graph.input("scores", "float32", [2, 5, 7], true);
    const y = batchedMatmul(graph, softmax(graph, scores), graph.input("values", "float32", [2, 7, 3], true));
    gradients(graph, [{ value: y, gradient: y }], [scores]);
    const sums = graph.nodes.filter(({ operator }) => operator === "ReduceSum");
    expect(sums.map(({ inputs: [summed] }) => summed.shape)).toEqual([[2, 5, 3]]);
  });

  it("transpose the narrower of two stacks, where a size known only later counts as wide", () => {
    const graph = new GraphBuilder();
    const weights = graph.input("weights", "float32", ["batch", "queries", "keys"]);
    const values = graph.input("values", "float32", ["batch", "keys", 3], true);
    const y = batchedMatmul(graph, weights, values);
    const [ofValues] = gradients(graph, [{ value: y, gradient: y }], [values]);
    expect(ofValues.shape).toEqual(["batch", "keys", 3]);
    const [product] = graph.nodes.filter(({ attributes }) => attributes.transA === 1);
    expect(product.inputs[0].shape).toEqual(["batch", "queries", 3]);
  });

  it("write nothing for what is frozen", () => {
    const graph = new GraphBuilder();
    const x = graph.input("x", "float32", [2, 3]);
    const frozen = graph.input("frozen", "float32", [3, 3]);
    const trained = graph.input("trained", "float32", [3, 3], true);
    const y = gemm(graph, gemm(graph, x, frozen), trained);
    const before = graph.nodes.length;
    gradients(graph, [{ value: y, gradient: y }], [trained]);
    expect(graph.nodes.slice(before).map(({ operator }) => operator)).toEqual(["Gemm"]);
  });
});
