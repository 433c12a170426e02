import type { Value } from "../graph/builder.ts";
import type { AttentionShape } from "../layers/attention-mask.ts";
import type { LayerContext, LinearSpec } from "../layers/layer-context.ts";
import type { PositionalSpec } from "../layers/positional.ts";

/** A tensor that a checkpoint must hold. */
export interface WeightSpec {
  /** as transformers' state_dict has it */
  name: string;
  shape: number[];
  /** how a fresh one is drawn: normal with the config's initializer_range, or all alike */
  initial: "normal" | "ones" | "zeros";
}

/** What the LM head multiplies, and what becomes of the product. */
export interface HeadSpec {
  /** a weight [V, hidden]; the embedding table where the head is tied */
  weight: string;
  /** logits become softcap·tanh(logits / softcap); null: they stay (Gemma 2) */
  softcap: number | null;
}

/**
 * A causal decoder as its config.json describes it: what its checkpoint holds, and how its graph is written. Each file of this
 * folder makes one kind, of the layers in `layers/`.
 *
 * The model is embed, then each block, then finish; every part is a function of the hidden states alone, so that a block can be
 * computed once more in the backward pass. Dimensions: rows = batch × tokens.
 */
export interface Architecture {
  /** config.json's model_type */
  readonly modelType: string;
  readonly vocabularySize: number;
  readonly contextTokens: number;
  readonly hiddenSize: number;
  /** of the widest part of a block's MLP */
  readonly intermediateSize: number;
  readonly blocks: number;
  readonly attention: AttentionShape;
  readonly positional: PositionalSpec;
  /** transformers' base_model_prefix with a dot, such as "transformer.": files of the bare model lack it */
  readonly prefix: string;
  readonly weights: readonly WeightSpec[];
  /** every block's linear layers, in the order in which they run; never the head */
  readonly linears: readonly LinearSpec[];
  /** last names of the layers that LoRA adapts where a run does not say */
  readonly targets: {
    /** PEFT's default for this model_type */
    peft: readonly string[];
    /** FATE-LLM's choice, where its tutorials have one; else PEFT's */
    usual: readonly string[];
  };
  readonly head: HeadSpec;
  /** standard deviation of freshly drawn weights */
  readonly initializerRange: number;
  /** @returns [rows, hidden]: what the first block takes */
  embed(model: LayerContext): Value;
  /** @param hidden - [rows, hidden] @returns [rows, hidden] */
  block(model: LayerContext, hidden: Value, index: number): Value;
  /** The norm before the head. @param hidden - [positions, hidden] @returns [positions, hidden] */
  finish(model: LayerContext, hidden: Value): Value;
}
