import type { Device, OpenModel } from "../ports/engine.ts";
import type { Architecture } from "./architectures/architecture.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { type Dimension, GraphBuilder, type Value } from "./graph/builder.ts";
import { concat } from "./graph/operators.ts";
import { type Kept, keptName, newName } from "./key-value-cache.ts";
import type { LayerContext, LinearSpec } from "./layers/layer-context.ts";
import { type LoraMask, type LoraPair, linearWithLora } from "./layers/linear-with-lora.ts";
import { declarePositional, type PositionalInputs } from "./layers/positional.ts";
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
  readonly #keeps: boolean;
  readonly #widening: "here" | "in the graph";

  /**
   * @param trains - whether gradients are asked for
   * @param keeps - whether it goes on with a text: each block takes what is kept of the text so far, keys and values [batch,
   *   keyValueHeads, slots, headSize] by {@link keptName}, and gives those of the new tokens by {@link newName}
   */
  constructor(parts: ModelParts, trains: boolean, keeps = false) {
    const { positional, attention } = parts.checkpoint.architecture;
    this.#parts = parts;
    this.#trains = trains;
    this.ids = this.graph.input("ids", "int32", ["batch", "tokens"]);
    this.rows = this.graph.input("rows", "int32", ["positions"]);
    this.positional = declarePositional(this.graph, positional, attention, keeps ? "keys" : "tokens");
    this.#keeps = keeps;
    // generation's weights are packed, and those of a GPU are moved there once: both by ONNX Runtime
    this.#widening = keeps || (parts.device ?? "cpu") !== "cpu" ? "in the graph" : "here";
    this.trainable = declareBank(this.graph, parts.bank, trains);
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

  linear(x: Value, { name, bias, layout }: LinearSpec): Value {
    return linearWithLora(this.graph, x, {
      weight: this.weight(`${name}.weight`),
      transposed: layout === "out-in",
      bias: bias ? this.weight(`${name}.bias`) : null,
      lora: this.#lora(name),
    });
  }

  withKept(layer: number, keys: Value, values: Value): { keys: Value; values: Value } {
    const { graph } = this;
    if (!this.#keeps) return { keys, values };
    const extend = (kind: Kept, fresh: Value) => {
      const [batch, heads, , size] = fresh.shape;
      graph.output(newName(kind, layer), fresh);
      const kept = graph.input(keptName(kind, layer), "float32", [batch, heads, "slots", size]);
      return concat(graph, [kept, fresh], 2, "keys");
    };
    return { keys: extend("keys", keys), values: extend("values", values) };
  }

  #lora(linear: string): LoraPair | null {
    const { lora } = this.#parts;
    const names = loraNames(linear);
    const down = this.trainable.get(names.down);
    const up = this.trainable.get(names.up);
    if (!down || !up || !lora) return null;
    const dropout = this.#trains && lora.dropout > 0 ? this.#mask(linear, down.shape[1], lora.dropout) : null;
    return { down, up, scale: lora.alpha / lora.rank, dropout };
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
