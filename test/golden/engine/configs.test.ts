import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "@jest/globals";
import type { Architecture } from "../../../shared/src/engine/architectures/architecture.ts";
import { parseArchitecture } from "../../../shared/src/engine/architectures/parse-architecture.ts";
import { GraphBuilder, type Value } from "../../../shared/src/engine/graph/builder.ts";
import type { LayerContext } from "../../../shared/src/engine/layers/layer-context.ts";
import { declarePositional } from "../../../shared/src/engine/layers/positional.ts";
import { distance } from "./fixture.ts";

interface ConfigCase {
  config: Record<string, unknown>;
  parameters: number;
  windows: (number | null)[];
  kinds: string[];
  frequencies: Record<string, number[]>;
}

/** What scripts/fixtures/configs.py wrote. */
const { models } = JSON.parse(readFileSync(resolve(import.meta.dirname, "../fixtures/configs.json"), "utf8"));
const cases = Object.entries(models as Record<string, ConfigCase>);

/** Which of the architecture's masks and rotary tables a block takes. */
function positionsOf(architecture: Architecture, index: number) {
  const graph = new GraphBuilder();
  const { weights, positional, attention } = architecture;
  const inputs = declarePositional(graph, positional, attention);
  const value = (name: string, shape: readonly (number | string)[]): Value => ({
    name,
    type: "float32",
    shape,
    needsGradient: false,
  });
  const model: LayerContext = {
    graph,
    ids: graph.input("ids", "int32", ["batch", "tokens"]),
    positional: inputs,
    weight: (name) => value(name, weights.find((weight) => weight.name === name)!.shape),
    linear: (_, { name, out }) => value(name, ["rows", out]),
    keep: () => null,
  };
  architecture.block(model, graph.input("hidden", "float32", ["rows", architecture.hiddenSize]), index);
  const isTaken = (input: Value) =>
    graph.nodes.some(({ operator, inputs: taken }) => operator !== "Shape" && taken.includes(input));
  return {
    masks: Object.keys(positional.masks).filter((name) => isTaken(inputs.masks[name])),
    rotary: Object.keys(positional.rotary).filter((name) => isTaken(inputs.rotary[name].cosines)),
  };
}

describe("config.json files as they stand on the hub, against transformers", () => {
  it.each(cases)("gives %s as many weights, and each block its window and its frequencies", (_, wanted) => {
    const architecture = parseArchitecture(new TextEncoder().encode(JSON.stringify(wanted.config)), "config.json");
    const { weights, blocks, positional } = architecture;
    expect(weights.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)).toBe(wanted.parameters);
    expect(blocks).toBe(wanted.kinds.length);
    for (let index = 0; index < blocks; index++) {
      const { masks, rotary } = positionsOf(architecture, index);
      expect(masks.map((name) => positional.masks[name])).toEqual([{ window: wanted.windows[index], slopes: null }]);
      expect(rotary).toHaveLength(1);
      const { frequencies } = positional.rotary[rotary[0]];
      expect(distance(frequencies, wanted.frequencies[wanted.kinds[index]])).toBeLessThan(1e-6);
      // the slowest one counts for little in the distance of all
      const slowest = frequencies.at(-1)! / wanted.frequencies[wanted.kinds[index]].at(-1)!;
      expect(Math.abs(slowest - 1)).toBeLessThan(1e-5);
    }
  });
});
