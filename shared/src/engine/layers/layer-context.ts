import type { GraphBuilder, Value } from "../graph/builder.ts";
import type { PositionalInputs } from "./positional.ts";

/** A linear layer that LoRA can adapt. */
export interface LinearSpec {
  /** without ".weight", such as model.layers.0.self_attn.q_proj */
  name: string;
  in: number;
  out: number;
  bias: boolean;
  /** how the weight lies in the file: [out, in] as torch.nn.Linear, or [in, out] as GPT-2's Conv1D */
  layout: "out-in" | "in-out";
}

export interface KeysAndValues {
  keys: Value;
  values: Value;
}

/** A graph in which a model is being written: its inputs, and where its layers take their tensors from. */
export interface LayerContext {
  readonly graph: GraphBuilder;
  /** [batch, tokens] int32, padded on the right: causal attention never looks at what is padded */
  readonly ids: Value;
  readonly positional: PositionalInputs;
  /** A tensor of the checkpoint: its trained values where it is trained. */
  weight(name: string): Value;
  /** @param x - [rows, in] @returns [rows, out], with LoRA where the layer is adapted */
  linear(x: Value, spec: LinearSpec): Value;
  /**
   * In generation: hands a block's new keys and values to whoever keeps them. Else nothing is kept: texts are whole.
   * @param layer - the block's index
   * @param fresh - [batch, keyValueHeads, tokens, headSize] each, keys turned by their positions
   * @returns those of the texts so far, [batch, keyValueHeads, slots, headSize] each, which queries look at before the new ones
   */
  keep(layer: number, fresh: KeysAndValues): KeysAndValues | null;
}
