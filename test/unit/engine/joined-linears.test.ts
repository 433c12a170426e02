import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { stackNames } from "../../../shared/src/engine/adapter-stack.ts";
import { openCheckpoint } from "../../../shared/src/engine/checkpoint.ts";
import type { GraphBuilder, Value } from "../../../shared/src/engine/graph/builder.ts";
import type { LinearSpec } from "../../../shared/src/engine/layers/layer-context.ts";
import { ModelGraph } from "../../../shared/src/engine/model-graph.ts";
import { wholeBank } from "../../../shared/src/engine/open-bank.ts";
import { createBank } from "../../../shared/src/engine/parameter-bank.ts";
import { createSession, type HostTensor } from "../../../shared/src/engine/session.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { wave } from "./run-graph.ts";
import { toyFolder } from "./toy-model.ts";

const HIDDEN = 304;
const RANKS = 3;
const ROWS = [1, 2, 5, 33];
const TYPES: Tensor["dtype"][] = ["F32", "F16", "BF16"];

/** Wide enough that sums over a row are taken in several parts. */
const SIZES = { hidden_size: HIDDEN, intermediate_size: 200, ffn_dim: 200, num_hidden_layers: 1 };

/** @param typeOf - by the weight's index in the file */
function folderWith(changes: Record<string, unknown>, typeOf: (index: number) => Tensor["dtype"]): string {
  const folder = toyFolder({ ...SIZES, ...changes });
  const file = join(folder, "model.safetensors");
  const { tensors } = readSafetensors(new Uint8Array(readFileSync(file)), "the toy model");
  const changed = [...tensors].map(([name, { shape, data }], index) => {
    const numbers = name.endsWith(".bias") ? wave(data.length, index) : (data as Float32Array);
    const dtype = typeOf(index);
    return [name, { dtype, shape, data: inType(dtype, numbers) } as Tensor] as const;
  });
  writeFileSync(file, writeSafetensors(Object.fromEntries(changed)));
  return folder;
}

function inType(dtype: Tensor["dtype"], numbers: Float32Array) {
  if (dtype === "F32") return numbers;
  if (dtype === "F16") return new Uint16Array(new Float16Array(numbers).buffer);
  return Uint16Array.from(new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length), (bits) => bits >> 16);
}

interface Layers {
  folder: string;
  specs: readonly LinearSpec[];
  adapted: ReadonlySet<string>;
}

/** Gives the layers' results by their names. */
function graphOf({ folder, specs, adapted }: Layers, write: (model: ModelGraph, x: Value) => Value[]): GraphBuilder {
  const parts = { checkpoint: openCheckpoint(folder), bank: createBank([]), lora: null };
  const model = new ModelGraph(parts, false, adapted);
  const x = model.graph.input("x", "float32", ["rows", HIDDEN]);
  write(model, x).forEach((y, index) => {
    model.graph.output(specs[index].name, y);
  });
  // what only the model's other parts take
  model.graph.prune();
  model.graph.inputs.splice(0, model.graph.inputs.indexOf(x));
  return model.graph;
}

async function resultsOf(layers: Layers, graph: GraphBuilder): Promise<Record<string, HostTensor>[]> {
  const session = await createSession(graph, layers.folder, 1, "cpu", "packed");
  const found: Record<string, HostTensor>[] = [];
  for (const rows of ROWS) {
    const feeds: Record<string, HostTensor> = { x: { data: wave(rows * HIDDEN, 1), shape: [rows, HIDDEN] } };
    for (const { name, in: inner, out } of layers.specs.filter((spec) => layers.adapted.has(spec.name))) {
      const { down, up, scales } = stackNames(name);
      feeds[down] = { data: wave(RANKS * inner, 2), shape: [RANKS, inner] };
      feeds[up] = { data: wave(RANKS * out, 3), shape: [RANKS, out] };
      feeds[scales] = { data: wave(rows * RANKS, 4), shape: [rows, RANKS] };
    }
    found.push(await session.run(feeds));
  }
  await session.close();
  return found;
}

const productsOf = ({ nodes }: GraphBuilder) => nodes.filter(({ operator }) => operator === "Gemm").length;

describe("linear layers of the same input, in generation", () => {
  const kinds: [string, Record<string, unknown>, RegExp][] = [
    ["queries, keys and values of llama", {}, /[qkv]_proj$/],
    ["gate and up of llama", {}, /(gate|up)_proj$/],
    ["queries, keys and values with biases", { model_type: "qwen2" }, /[qkv]_proj$/],
    ["queries, keys and values of opt", { model_type: "opt" }, /[qkv]_proj$/],
  ];
  const types: [string, (index: number) => Tensor["dtype"]][] = [
    ["32 bits", () => "F32"],
    ["16 bits", () => "F16"],
    ["bfloat16", () => "BF16"],
    ["several types", (index) => TYPES[index % TYPES.length]],
  ];

  it.each(kinds.flatMap((kind) => types.map((type) => [kind[0], type[0], kind, type] as const)))(
    "are one product, and give the same bits as by themselves, with adapters and without: %s in %s",
    async (_name, _type, [, changes, pattern], [, typeOf]) => {
      const folder = folderWith(changes, typeOf);
      const specs = openCheckpoint(folder).architecture.linears.filter(({ name }) => pattern.test(name));
      expect(specs.length).toBeGreaterThan(1);
      for (const adapted of [new Set<string>(), new Set([specs[1].name])]) {
        const layers = { folder, specs, adapted };
        const together = graphOf(layers, (model, x) => model.linears(x, specs));
        const apart = graphOf(layers, (model, x) => specs.map((spec) => model.linear(x, spec)));
        expect([productsOf(together), productsOf(apart)]).toEqual([
          1 + 2 * adapted.size,
          specs.length + 2 * adapted.size,
        ]);
        expect(await resultsOf(layers, together)).toEqual(await resultsOf(layers, apart));
      }
    },
  );

  it("are left apart where their weights are trained, since a run would join them anew", () => {
    const checkpoint = openCheckpoint(toyFolder());
    const { linears } = checkpoint.architecture;
    for (const bank of [createBank([]), wholeBank(checkpoint)]) {
      const model = new ModelGraph({ checkpoint, bank, lora: null }, false, new Set());
      model.linears(model.graph.input("x", "float32", ["rows", 16]), linears.slice(0, 3));
      expect(productsOf(model.graph)).toBe(bank.entries.length === 0 ? 1 : 3);
    }
  });
});
