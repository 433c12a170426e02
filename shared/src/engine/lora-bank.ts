import { InvalidInputError } from "../core/errors.ts";
import { createRandom } from "../core/numeric/random.ts";
import { isTarget } from "../formats/peft-adapter.ts";
import { quote } from "../formats/quote.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../formats/safetensors.ts";
import type { OpenModel } from "../ports/engine.ts";
import type { Architecture } from "./architectures/architecture.ts";
import type { LinearSpec } from "./layers/layer-context.ts";
import { createBank, type ParameterBank, viewOf } from "./parameter-bank.ts";

type Lora = NonNullable<OpenModel["lora"]>;

/** PEFT puts this before a layer's name. */
const PREFIX = "base_model.model.";

/** PEFT's names of a layer's two matrices: A [rank, in] and B [out, rank]. */
export function loraNames(linear: string): { down: string; up: string } {
  return { down: `${PREFIX}${linear}.lora_A.weight`, up: `${PREFIX}${linear}.lora_B.weight` };
}

/** The layers that are adapted, in the order in which they run. @throws InvalidInputError `MODEL_OPTIONS_INVALID` */
export function adaptedLinears(architecture: Architecture, lora: Lora): LinearSpec[] {
  const { linears, targets } = architecture;
  if (lora.targets === "all-linear") return [...linears];
  const named =
    lora.targets === "default" ? targets.usual : lora.targets === "peft-default" ? targets.peft : lora.targets;
  const isOf = (target: string) => (linear: LinearSpec) => isTarget(linear.name, target);
  const unknown = named.find((target) => !linears.some(isOf(target)));
  if (unknown !== undefined) {
    const known = [...new Set(linears.map(({ name }) => name.split(".").at(-1)!))];
    throw new InvalidInputError(
      "MODEL_OPTIONS_INVALID",
      `lora.targets: expected names among ${known.join(", ")} for a ${architecture.modelType} model, got ${unknown}`,
    );
  }
  return linears.filter((linear) => named.some((target) => isOf(target)(linear)));
}

/**
 * A fresh adapter as PEFT draws it: A uniform in ±1/√in (Kaiming with a = √5), B zero. Layers are drawn in the order in which
 * they run, so that equal shapes and seeds give equal adapters.
 */
export function freshLoraBank(architecture: Architecture, lora: Lora, seed: number): ParameterBank {
  const bank = emptyLoraBank(architecture, lora);
  const entries = new Map(bank.entries.map((entry) => [entry.name, entry]));
  const random = createRandom(seed);
  for (const linear of adaptedLinears(architecture, lora)) {
    const matrix = viewOf(bank, entries.get(loraNames(linear.name).down)!);
    const bound = 1 / Math.sqrt(linear.in);
    for (let index = 0; index < matrix.length; index++) matrix[index] = (random.next() * 2 - 1) * bound;
  }
  return bank;
}

/**
 * @param bytes - adapter_model.safetensors
 * @param what - the file as errors name it
 * @throws InvalidInputError `ADAPTER_INVALID` naming the tensor, expected and got; also safetensors' own
 */
export function loadLoraBank(architecture: Architecture, lora: Lora, bytes: Uint8Array, what: string): ParameterBank {
  const bank = emptyLoraBank(architecture, lora);
  const { tensors } = readSafetensors(bytes, what);
  const refuse = (reason: string) => new InvalidInputError("ADAPTER_INVALID", `${what}: ${reason}`);
  for (const entry of bank.entries) {
    const tensor = tensors.get(entry.name);
    if (!tensor) throw refuse(`expected the tensor ${entry.name}, got none of that name`);
    if (tensor.dtype !== "F32") throw refuse(`tensor ${entry.name}: expected F32, got ${tensor.dtype}`);
    if (tensor.shape.length !== 2 || tensor.shape.some((size, axis) => size !== entry.shape[axis]))
      throw refuse(
        `tensor ${entry.name}: expected shape [${entry.shape}], got ${quote(tensor.shape)}: is it of another model?`,
      );
    const bad = tensor.data.findIndex((number) => !Number.isFinite(number));
    if (bad >= 0) throw refuse(`tensor ${entry.name}: expected finite numbers, got ${tensor.data[bad]} at ${bad}`);
    viewOf(bank, entry).set(tensor.data);
  }
  if (tensors.size > bank.entries.length) {
    const expected = new Set(bank.entries.map(({ name }) => name));
    const extra = [...tensors.keys()].find((name) => !expected.has(name));
    throw refuse(`expected ${bank.entries.length} tensors for these LoRA settings, got also ${quote(extra)}`);
  }
  return bank;
}

/** @returns a safetensors file of the bank's tensors in f32, as PEFT and transformers write theirs */
export function saveBank(bank: ParameterBank): Uint8Array {
  const tensors: Record<string, Tensor> = {};
  for (const entry of bank.entries)
    tensors[entry.name] = { dtype: "F32", shape: entry.shape, data: viewOf(bank, entry) };
  return writeSafetensors(tensors, { format: "pt" });
}

function emptyLoraBank(architecture: Architecture, lora: Lora): ParameterBank {
  return createBank(
    adaptedLinears(architecture, lora).flatMap((linear) => {
      const { down, up } = loraNames(linear.name);
      return [
        { name: down, shape: [lora.rank, linear.in] },
        { name: up, shape: [linear.out, lora.rank] },
      ];
    }),
  );
}
