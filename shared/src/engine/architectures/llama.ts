import type { GraphBuilder, Value } from "../graph/builder.ts";
import { add, gather, reshape } from "../graph/operators.ts";
import { type AttentionContext, attention, queriesDimension } from "../layers/attention.ts";
import { type LoraPair, linearWithLora } from "../layers/linear-with-lora.ts";
import { rmsNorm } from "../layers/rms-norm.ts";
import { swiglu } from "../layers/swiglu.ts";
import type { LlamaConfig } from "./llama-config.ts";

/** A tensor that a checkpoint must hold. */
export interface WeightSpec {
  name: string;
  shape: number[];
}

/** A linear layer that LoRA can adapt. */
export interface LinearSpec {
  /** without ".weight", such as model.layers.0.self_attn.q_proj */
  name: string;
  in: number;
  out: number;
  bias: boolean;
}

/** Where a graph takes its tensors from. */
export interface Parameters {
  weight(name: string): Value;
  lora(linear: string): LoraPair | null;
}

/** LLaMA's embedding table, which is its head too where heads are tied. */
export const EMBEDDING = "model.embed_tokens.weight";

/** Every block's linear layers, in the order in which they run. */
export function llamaLinears(config: LlamaConfig): LinearSpec[] {
  return Array.from({ length: config.layers }, (_, layer) => blockLinears(config, layer)).flat();
}

function blockLinears(config: LlamaConfig, layer: number): LinearSpec[] {
  const { hiddenSize, intermediateSize, attentionBias, mlpBias } = config;
  const queries = config.heads * config.headSize;
  const keys = config.keyValueHeads * config.headSize;
  const attentionPart = `model.layers.${layer}.self_attn`;
  const mlpPart = `model.layers.${layer}.mlp`;
  return [
    { name: `${attentionPart}.q_proj`, in: hiddenSize, out: queries, bias: attentionBias },
    { name: `${attentionPart}.k_proj`, in: hiddenSize, out: keys, bias: attentionBias },
    { name: `${attentionPart}.v_proj`, in: hiddenSize, out: keys, bias: attentionBias },
    { name: `${attentionPart}.o_proj`, in: queries, out: hiddenSize, bias: attentionBias },
    { name: `${mlpPart}.gate_proj`, in: hiddenSize, out: intermediateSize, bias: mlpBias },
    { name: `${mlpPart}.up_proj`, in: hiddenSize, out: intermediateSize, bias: mlpBias },
    { name: `${mlpPart}.down_proj`, in: intermediateSize, out: hiddenSize, bias: mlpBias },
  ];
}

/** The checkpoint's tensors, by Hugging Face's names. */
export function llamaWeights(config: LlamaConfig): WeightSpec[] {
  const { hiddenSize, vocabularySize } = config;
  const norms = Array.from({ length: config.layers }, (_, layer) => [
    { name: `model.layers.${layer}.input_layernorm.weight`, shape: [hiddenSize] },
    { name: `model.layers.${layer}.post_attention_layernorm.weight`, shape: [hiddenSize] },
  ]).flat();
  const linears = llamaLinears(config).flatMap(({ name, in: inner, out, bias }) => [
    { name: `${name}.weight`, shape: [out, inner] },
    ...(bias ? [{ name: `${name}.bias`, shape: [out] }] : []),
  ]);
  return [
    { name: EMBEDDING, shape: [vocabularySize, hiddenSize] },
    ...linears,
    ...norms,
    { name: "model.norm.weight", shape: [hiddenSize] },
    ...(config.tiedHead ? [] : [{ name: "lm_head.weight", shape: [vocabularySize, hiddenSize] }]),
  ];
}

/** The LM head's weight [V, hidden]. */
export function llamaHead(config: LlamaConfig): string {
  return config.tiedHead ? EMBEDDING : "lm_head.weight";
}

/** What a LLaMA graph is fed at every run. */
export interface LlamaInputs extends AttentionContext {
  /** [batch, tokens] int32, padded on the right: causal attention never looks at what is padded */
  ids: Value;
  /** [positions] int32: which of the batch × tokens rows the head looks at */
  rows: Value;
}

export function llamaInputs(graph: GraphBuilder, config: LlamaConfig): LlamaInputs {
  return {
    ids: graph.input("ids", "int32", ["batch", "tokens"]),
    rows: graph.input("rows", "int32", ["positions"]),
    mask: graph.input("mask", "float32", [queriesDimension(config), "tokens"]),
    cosines: graph.input("cosines", "float32", ["tokens", config.headSize / 2]),
    sines: graph.input("sines", "float32", ["tokens", config.headSize / 2]),
  };
}

/** The model up to its head. @returns [positions, hidden]: what the head multiplies, at the asked rows only */
export function llamaHidden(
  graph: GraphBuilder,
  config: LlamaConfig,
  parameters: Parameters,
  inputs: LlamaInputs,
): Value {
  const norm = (x: Value, name: string) => rmsNorm(graph, x, parameters.weight(`${name}.weight`), config.normEpsilon);
  const linear = (x: Value, { name, bias }: LinearSpec) =>
    linearWithLora(
      graph,
      x,
      parameters.weight(`${name}.weight`),
      bias ? parameters.weight(`${name}.bias`) : null,
      parameters.lora(name),
    );
  let hidden = gather(graph, parameters.weight(EMBEDDING), reshape(graph, inputs.ids, ["rows"]));
  for (let layer = 0; layer < config.layers; layer++) {
    const [query, key, value, output, gate, up, down] = blockLinears(config, layer);
    const x = norm(hidden, `model.layers.${layer}.input_layernorm`);
    const mixed = attention(graph, linear(x, query), linear(x, key), linear(x, value), config, inputs);
    hidden = add(graph, hidden, linear(mixed, output));
    const y = norm(hidden, `model.layers.${layer}.post_attention_layernorm`);
    hidden = add(graph, hidden, linear(swiglu(graph, linear(y, gate), linear(y, up)), down));
  }
  return norm(gather(graph, hidden, inputs.rows), "model.norm");
}
