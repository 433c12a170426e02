import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { openCheckpoint } from "../../../shared/src/engine/checkpoint.ts";
import type { GraphBuilder } from "../../../shared/src/engine/graph/builder.ts";
import { continuationGraph, logitsGraph, scoringGraph, trainingGraph } from "../../../shared/src/engine/graphs.ts";
import { freshLoraBank } from "../../../shared/src/engine/lora-bank.ts";
import type { ModelParts } from "../../../shared/src/engine/model-graph.ts";
import { readSafetensors, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import type { Device } from "../../../shared/src/ports/engine.ts";
import { TOY_LORA, toyFolder } from "./toy-model.ts";

/** The toy model's weights in 16 bits. */
function halfFolder(): string {
  const folder = toyFolder();
  const file = join(folder, "model.safetensors");
  const { tensors } = readSafetensors(new Uint8Array(readFileSync(file)), "the toy model");
  const half = [...tensors].map(([name, { shape, data }]) => {
    const bits = new Uint16Array(new Float16Array(data as Float32Array).buffer);
    return [name, { dtype: "F16" as const, shape, data: bits }] as const;
  });
  writeFileSync(file, writeSafetensors(Object.fromEntries(half)));
  return folder;
}

const checkpoint = openCheckpoint(halfFolder());
const bank = freshLoraBank(checkpoint.architecture, TOY_LORA, 1);
const GRAPHS: [string, (parts: ModelParts) => GraphBuilder][] = [
  ["training", (parts) => trainingGraph(parts, { knowledge: "none", temperature: 1, chunks: 1, checkpointing: false })],
  ["scoring", (parts) => scoringGraph(parts, 4, 1)],
  ["logits", (parts) => logitsGraph(parts)],
  ["generation", (parts) => continuationGraph(parts, new Set())],
];
const WEIGHTS = checkpoint.architecture.weights.map(({ name }) => name).sort();

/** Names of the weights that a run is fed, and of those that are constants of the graph, read from the model's file. */
function placesOf(build: (parts: ModelParts) => GraphBuilder, device: Device) {
  const { residents, initializers, nodes } = build({ checkpoint, bank, lora: TOY_LORA, device });
  const inFile = initializers.filter(({ data }) => "file" in data).map(({ value }) => value);
  const widened = nodes.filter(({ operator, inputs }) => operator === "Cast" && inFile.includes(inputs[0]!));
  return {
    fed: residents.map(({ value }) => value.name).sort(),
    constant: inFile.map(({ name }) => name).sort(),
    widened: widened.map(({ inputs }) => inputs[0]!.name).sort(),
  };
}

describe("weights of 16 bits", () => {
  it.each(GRAPHS)(
    "are constants of the %s graph on a GPU, which moves them there once: no run is fed them",
    (_, build) => {
      expect(placesOf(build, "cuda")).toEqual({ fed: [], constant: WEIGHTS, widened: WEIGHTS });
    },
  );

  it.each(GRAPHS.slice(0, 3))(
    "are widened once for all graphs on the processor, and lie where they are: %s",
    (_, build) => {
      expect(placesOf(build, "cpu")).toEqual({ fed: WEIGHTS, constant: [], widened: [] });
    },
  );
});
