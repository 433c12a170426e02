import type { Device, OpenModel } from "../ports/engine.ts";
import { stackNames } from "./adapter-stack.ts";
import type { Architecture } from "./architectures/architecture.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { type Dimension, GraphBuilder, type Value } from "./graph/builder.ts";
import { keptName } from "./key-value-rows.ts";
import type { KeysAndValues, LayerContext, LinearSpec } from "./layers/layer-context.ts";
import { type LoraMask, type LoraPair, type LoraStack, linearWithLora } from "./layers/linear-with-lora.ts";
import { declareContinuedPositional, declarePositional, type PositionalInputs } from "./layers/positional.ts";
import { loraNames } from "./lora-bank.ts";
import { maskInput } from "./lora-dropout.ts";
import { declareBank, type ParameterBank } from "./parameter-bank.ts";

/** A model's weights: frozen ones in the checkpoint's file, trainable ones in the bank. */
export interface ModelParts {
  checkpoint: Checkpoint;
  bank: ParameterBank;
  lora: OpenModel["lora"];
  /** where it is computed; the processor unless given */
  device?: Device;
}

/** A model's graph while it is written. */
export class ModelGraph implements LayerContext {
  readonly graph = new GraphBuilder();
  readonly ids: Value;
  /** [positions] int32: which of the batch × tokens rows the head looks at */
  readonly rows: Value;
  readonly positional: PositionalInputs;
  /** what is trained, by name; empty where nothing is */
  readonly trainable: ReadonlyMap<string, Value>;
  readonly #parts: ModelParts;
  readonly #frozen = new Map<string, Value>();
  readonly #masks = new Map<string, LoraMask>();
  readonly #trains: boolean;
  readonly #adapted: ReadonlySet<string> | null;
  readonly #fresh: Value[] = [];
  readonly #widening: "here" | "in the graph";

  /**
   * @param trains - whether gradients are asked for
   * @param adapted - given where it goes on with texts: each block takes what is kept of the texts so far, keys and values [batch,
   *   keyValueHeads, slots, headSize] by {@link keptName}, and {@link fresh} are those of the new tokens. LoRA comes in from
   *   outside, for these layers, by {@link stackNames}; null: texts are whole, and LoRA is the bank's
   */
  constructor(parts: ModelParts, trains: boolean, adapted: ReadonlySet<string> | null = null) {
    const { positional, attention } = parts.checkpoint.architecture;
    this.#parts = parts;
    this.#trains = trains;
    this.ids = this.graph.input("ids", "int32", ["batch", "tokens"]);
    this.rows = this.graph.input("rows", "int32", ["positions"]);
    const keeps = adapted !== null;
    const declare = keeps ? declareContinuedPositional : declarePositional;
    this.positional = declare(this.graph, positional, attention);
    this.#adapted = adapted;
    // generation's weights are packed, and those of a GPU are moved there once: both by ONNX Runtime
    this.#widening = keeps || (parts.device ?? "cpu") !== "cpu" ? "in the graph" : "here";
    this.trainable = keeps && parts.lora ? new Map() : declareBank(this.graph, parts.bank, trains);
  }

  /** Each block's new keys, then its new values: [batch, keyValueHeads, tokens, headSize] each. */
  get fresh(): readonly Value[] {
    return this.#fresh;
  }

  get architecture(): Architecture {
    return this.#parts.checkpoint.architecture;
  }

  weight(name: string): Value {
    const known = this.trainable.get(name) ?? this.#frozen.get(name);
    if (known) return known;
    const value = this.#parts.checkpoint.weight(this.graph, name, this.#widening);
    this.#frozen.set(name, value);
    return value;
  }

  linear(x: Value, spec: LinearSpec): Value {
    const { name, bias, layout } = spec;
    return linearWithLora(this.graph, x, {
      weight: this.weight(`${name}.weight`),
      transposed: layout === "out-in",
      bias: bias ? this.weight(`${name}.bias`) : null,
      lora: this.#lora(spec),
    });
  }

  keep(layer: number, { keys, values }: KeysAndValues): KeysAndValues | null {
    if (!this.#adapted) return null;
    this.#fresh.push(keys, values);
    const [batch, heads, , size] = keys.shape;
    const kept = (kind: keyof KeysAndValues) =>
      this.graph.input(keptName(kind, layer), "float32", [batch, heads, "slots", size]);
    return { keys: kept("keys"), values: kept("values") };
  }

  #lora({ name: linear, ...sizes }: LinearSpec): LoraPair | LoraStack | null {
    const { lora } = this.#parts;
    if (this.#adapted) return this.#adapted.has(linear) ? this.#stack(linear, sizes) : null;
    const names = loraNames(linear);
    const down = this.trainable.get(names.down);
    const up = this.trainable.get(names.up);
    if (!down || !up || !lora) return null;
    const dropout = this.#trains && lora.dropout > 0 ? this.#mask(linear, down.shape[1], lora.dropout) : null;
    return { down, up, scale: lora.alpha / lora.rank, dropout };
  }

  #stack(linear: string, sizes: { in: number; out: number }): LoraStack {
    const { graph } = this;
    const names = stackNames(linear);
    const ranks = `ranks:${linear}`;
    return {
      down: graph.input(names.down, "float32", [ranks, sizes.in]),
      up: graph.input(names.up, "float32", [ranks, sizes.out]),
      scales: graph.input(names.scales, "float32", ["rows", ranks]),
    };
  }

  /** A block that is computed a second time sees what it saw the first time. */
  #mask(linear: string, size: Dimension, probability: number): LoraMask {
    const known = this.#masks.get(linear);
    if (known) return known;
    const mask = { kept: this.graph.input(maskInput(linear), "bool", ["rows", size]), probability };
    this.#masks.set(linear, mask);
    return mask;
  }
}
