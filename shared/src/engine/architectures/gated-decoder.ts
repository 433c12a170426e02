import type { ModelConfig } from "../../formats/model-config.ts";
import type { Value } from "../graph/builder.ts";
import { add, multiply, reshape } from "../graph/operators.ts";
import { ACTIVATIONS, type ActivationName } from "../layers/activation.ts";
import { attention } from "../layers/attention.ts";
import type { AttentionShape, MaskSpec } from "../layers/attention-mask.ts";
import { embedTokens } from "../layers/embedding.ts";
import type { LayerContext, LinearSpec } from "../layers/layer-context.ts";
import { rmsNorm } from "../layers/rms-norm.ts";
import type { RotarySpec } from "../layers/rotary.ts";
import type { Architecture, WeightSpec } from "./architecture.ts";
import type { ConfigReader } from "./config-reader.ts";
import { weightsOf } from "./linear-weights.ts";

/**
 * What tells the models of this kind apart: RMS norms before attention and MLP, rotary positions, an MLP with a gate. What is not
 * given is as in LLaMA.
 */
export interface GatedDecoder extends GatedDecoderSizes {
  attention: AttentionShape & {
    /** what scores are multiplied by; 1 / √headSize unless given */
    scale?: number;
    /** scores become softcap·tanh(scores / softcap); null or not given: they stay */
    softcap?: number | null;
    /** whether each head's queries and keys are normed, with weights that all heads share */
    headNorms?: boolean;
  };
  /** none unless given */
  biases?: { queryKeyValue: boolean; output: boolean; mlp: boolean };
  /** SiLU unless given */
  activation?: ActivationName;
  /** norms scale by 1 + weight, and their weights begin at 0 */
  normsAroundOne?: boolean;
  /** whether what attention and MLP give is normed too, before it is added */
  normsAfter?: boolean;
  masks: Readonly<Record<string, MaskSpec>>;
  rotary: Readonly<Record<string, RotarySpec>>;
  /** by block: the names of its mask and of its rotary positions */
  positions(index: number): { mask: string; rotary: string };
  /** what embeddings are multiplied by; 1 unless given */
  embeddingScale?: number;
  /** logits become headSoftcap·tanh(logits / headSoftcap); null or not given: they stay */
  headSoftcap?: number | null;
  targets: Architecture["targets"];
}

/** What every config.json of this kind says by the same names. */
export interface GatedDecoderSizes extends ModelConfig {
  hiddenSize: number;
  intermediateSize: number;
  blocks: number;
  /** of the norms */
  epsilon: number;
  /** whether the head is the embedding table */
  tied: boolean;
  initializerRange: number;
}

/** @param tied - what a missing tie_word_embeddings means */
export function readGatedDecoderSizes(config: ConfigReader, sizes: ModelConfig, tied: boolean): GatedDecoderSizes {
  return {
    ...sizes,
    hiddenSize: config.size("hidden_size"),
    intermediateSize: config.size("intermediate_size"),
    blocks: config.layers("num_hidden_layers"),
    epsilon: config.positive("rms_norm_eps", 1e-6),
    tied: config.flag("tie_word_embeddings", tied),
    initializerRange: config.positive("initializer_range", 0.02),
  };
}

const EMBEDDING = "model.embed_tokens.weight";
const HEAD = "lm_head.weight";

/** Weights of a block's norms, by where they stand; LLaMA's second norm stands before the MLP, by whatever name. */
const NORMS_BEFORE = {
  beforeAttention: "input_layernorm.weight",
  afterAttention: null,
  beforeMlp: "post_attention_layernorm.weight",
  afterMlp: null,
};
const NORMS_AROUND = {
  beforeAttention: "input_layernorm.weight",
  afterAttention: "post_attention_layernorm.weight",
  beforeMlp: "pre_feedforward_layernorm.weight",
  afterMlp: "post_feedforward_layernorm.weight",
};
const NO_BIASES = { queryKeyValue: false, output: false, mlp: false };
const QUERY_NORM = "self_attn.q_norm.weight";
const KEY_NORM = "self_attn.k_norm.weight";

const inBlock = (index: number, name: string) => `model.layers.${index}.${name}`;

export function gatedDecoder(decoder: GatedDecoder): Architecture {
  const { hiddenSize, vocabularySize, epsilon, tied, attention: shape, embeddingScale = 1 } = decoder;
  const { activation = "silu", normsAroundOne = false, normsAfter = false, headSoftcap = null } = decoder;
  const { heads, keyValueHeads, headSize } = shape;
  const linears = Array.from({ length: decoder.blocks }, (_, index) => linearsOf(decoder, index));
  const norm = (name: string, size = hiddenSize): WeightSpec => ({
    name,
    shape: [size],
    initial: normsAroundOne ? "zeros" : "ones",
  });
  const names = normsAfter ? NORMS_AROUND : NORMS_BEFORE;
  const normsOf = (index: number) => [
    ...Object.values(names).flatMap((name) => (name === null ? [] : [norm(inBlock(index, name))])),
    ...(shape.headNorms ? [QUERY_NORM, KEY_NORM].map((name) => norm(inBlock(index, name), headSize)) : []),
  ];
  const normed = (model: LayerContext, x: Value, name: string) => {
    const weight = model.weight(name);
    const gamma = normsAroundOne ? add(model.graph, weight, model.graph.scalar(1)) : weight;
    return rmsNorm(model.graph, x, gamma, epsilon);
  };

  return {
    modelType: decoder.modelType,
    vocabularySize,
    contextTokens: decoder.contextTokens,
    hiddenSize,
    intermediateSize: decoder.intermediateSize,
    blocks: decoder.blocks,
    attention: { heads, keyValueHeads, headSize },
    positional: { masks: decoder.masks, rotary: decoder.rotary, tableOffset: null },
    prefix: "model.",
    weights: [
      { name: EMBEDDING, shape: [vocabularySize, hiddenSize], initial: "normal" },
      ...linears.flat().flatMap(weightsOf),
      ...linears.flatMap((_, index) => normsOf(index)),
      norm("model.norm.weight"),
      ...(tied ? [] : [{ name: HEAD, shape: [vocabularySize, hiddenSize], initial: "normal" as const }]),
    ],
    linears: linears.flat(),
    targets: decoder.targets,
    head: { weight: tied ? EMBEDDING : HEAD, softcap: headSoftcap },
    initializerRange: decoder.initializerRange,

    embed(model) {
      const rows = embedTokens(model, EMBEDDING);
      return embeddingScale === 1 ? rows : multiply(model.graph, rows, model.graph.scalar(embeddingScale));
    },
    block(model, hidden, index) {
      const { graph } = model;
      const [query, key, value, output, gate, up, down] = linears[index];
      const byName = (x: Value, name: string | null) => (name === null ? x : normed(model, x, inBlock(index, name)));
      const eachHead = (x: Value, count: number, name: string) =>
        shape.headNorms
          ? reshape(graph, byName(reshape(graph, x, ["rows", count, headSize]), name), ["rows", count * headSize])
          : x;
      const x = byName(hidden, names.beforeAttention);
      const { mask, rotary } = decoder.positions(index);
      const mixed = attention(
        model,
        eachHead(model.linear(x, query), heads, QUERY_NORM),
        eachHead(model.linear(x, key), keyValueHeads, KEY_NORM),
        model.linear(x, value),
        {
          ...shape,
          layer: index,
          mask: model.positional.masks[mask],
          rotary: model.positional.rotary[rotary],
        },
      );
      const attended = add(graph, hidden, byName(model.linear(mixed, output), names.afterAttention));
      const y = byName(attended, names.beforeMlp);
      const gated = multiply(graph, ACTIVATIONS[activation](graph, model.linear(y, gate)), model.linear(y, up));
      return add(graph, attended, byName(model.linear(gated, down), names.afterMlp));
    },
    finish: (model, hidden) => normed(model, hidden, "model.norm.weight"),
  };
}

function linearsOf(
  { hiddenSize, intermediateSize, attention, biases = NO_BIASES }: GatedDecoder,
  index: number,
): LinearSpec[] {
  const queries = attention.heads * attention.headSize;
  const keys = attention.keyValueHeads * attention.headSize;
  const linear = (name: string, inner: number, out: number, bias: boolean): LinearSpec => ({
    name: inBlock(index, name),
    in: inner,
    out,
    bias,
    layout: "out-in",
  });
  return [
    linear("self_attn.q_proj", hiddenSize, queries, biases.queryKeyValue),
    linear("self_attn.k_proj", hiddenSize, keys, biases.queryKeyValue),
    linear("self_attn.v_proj", hiddenSize, keys, biases.queryKeyValue),
    linear("self_attn.o_proj", queries, hiddenSize, biases.output),
    linear("mlp.gate_proj", hiddenSize, intermediateSize, biases.mlp),
    linear("mlp.up_proj", hiddenSize, intermediateSize, biases.mlp),
    linear("mlp.down_proj", intermediateSize, hiddenSize, biases.mlp),
  ];
}
