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
   * What a block's queries look at: in generation the keys and values of the text so far come before the new ones.
   * @param layer - the block's index
   * @param keys - [batch, keyValueHeads, tokens, headSize], turned by their positions, and values likewise
   * @returns [batch, keyValueHeads, tokens, headSize] each, or "keys" for "tokens" in generation
   */
  withKept(layer: number, keys: Value, values: Value): { keys: Value; values: Value };
}
