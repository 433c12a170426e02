import type { OpenModel } from "../ports/engine.ts";
import type { Architecture } from "./architectures/architecture.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { GraphBuilder, type Value } from "./graph/builder.ts";
import type { LayerContext, LinearSpec } from "./layers/layer-context.ts";
import { linearWithLora } from "./layers/linear-with-lora.ts";
import { declarePositional, type PositionalInputs } from "./layers/positional.ts";
import { loraNames } from "./lora-bank.ts";
import { declareBank, type ParameterBank } from "./parameter-bank.ts";

/** A model's weights: frozen ones in the checkpoint's file, trainable ones in the bank. */
export interface ModelParts {
  checkpoint: Checkpoint;
  bank: ParameterBank;
  lora: OpenModel["lora"];
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

  /** @param trains - whether gradients are asked for */
  constructor(parts: ModelParts, trains: boolean) {
    const { positional, attention } = parts.checkpoint.architecture;
    this.#parts = parts;
    this.ids = this.graph.input("ids", "int32", ["batch", "tokens"]);
    this.rows = this.graph.input("rows", "int32", ["positions"]);
    this.positional = declarePositional(this.graph, positional, attention);
    this.trainable = declareBank(this.graph, parts.bank, trains);
  }

  get architecture(): Architecture {
    return this.#parts.checkpoint.architecture;
  }

  weight(name: string): Value {
    const known = this.trainable.get(name) ?? this.#frozen.get(name);
    if (known) return known;
    const value = this.#parts.checkpoint.external(this.graph, name);
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

  #lora(linear: string) {
    const { lora } = this.#parts;
    const names = loraNames(linear);
    const down = this.trainable.get(names.down);
    const up = this.trainable.get(names.up);
    return down && up && lora ? { down, up, scale: lora.alpha / lora.rank } : null;
  }
}
