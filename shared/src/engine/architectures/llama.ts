import { showField } from "../../formats/model-config.ts";
import { add, gather, reshape } from "../graph/operators.ts";
import { attention } from "../layers/attention.ts";
import type { LinearSpec } from "../layers/layer-context.ts";
import { rmsNorm } from "../layers/rms-norm.ts";
import { rotaryFrequencies } from "../layers/rotary.ts";
import { swiglu } from "../layers/swiglu.ts";
import type { WeightSpec } from "./architecture.ts";
import { type ArchitectureParser, type ConfigReader, readGroupedHeads } from "./config-reader.ts";

const EMBEDDING = "model.embed_tokens.weight";

/** LLaMA 1 to 3 (Touvron et al., 2023), and what shares its config: SmolLM2, TinyLlama, Sheared-LLaMA. */
export const llama: ArchitectureParser = (config, { modelType, vocabularySize, contextTokens }) => {
  const hiddenSize = config.size("hidden_size");
  const intermediateSize = config.size("intermediate_size");
  const shape = readGroupedHeads(config, hiddenSize);
  const epsilon = config.positive("rms_norm_eps", 1e-6);
  const blocks = config.layers("num_hidden_layers");
  const tied = config.flag("tie_word_embeddings", false);
  const biases = { attention: config.flag("attention_bias", false), mlp: config.flag("mlp_bias", false) };
  config.oneOf("hidden_act", ["silu"], "silu");
  const linears = Array.from({ length: blocks }, (_, index) => {
    const queries = shape.heads * shape.headSize;
    const keys = shape.keyValueHeads * shape.headSize;
    const linear = (name: string, inner: number, out: number, bias: boolean): LinearSpec => ({
      name: `model.layers.${index}.${name}`,
      in: inner,
      out,
      bias,
      layout: "out-in",
    });
    return [
      linear("self_attn.q_proj", hiddenSize, queries, biases.attention),
      linear("self_attn.k_proj", hiddenSize, keys, biases.attention),
      linear("self_attn.v_proj", hiddenSize, keys, biases.attention),
      linear("self_attn.o_proj", queries, hiddenSize, biases.attention),
      linear("mlp.gate_proj", hiddenSize, intermediateSize, biases.mlp),
      linear("mlp.up_proj", hiddenSize, intermediateSize, biases.mlp),
      linear("mlp.down_proj", intermediateSize, hiddenSize, biases.mlp),
    ];
  });
  const norm = (name: string): WeightSpec => ({ name, shape: [hiddenSize], initial: "ones" });
  return {
    modelType,
    vocabularySize,
    contextTokens,
    hiddenSize,
    intermediateSize,
    blocks,
    attention: shape,
    positional: {
      masks: { full: { window: null, slopes: null } },
      rotary: { full: { frequencies: rotaryFrequencies(shape.headSize, readTheta(config)) } },
      tableOffset: null,
    },
    prefix: "model.",
    weights: [
      { name: EMBEDDING, shape: [vocabularySize, hiddenSize], initial: "normal" },
      ...linears.flat().flatMap(weightsOf),
      ...linears.flatMap((_, index) => [
        norm(`model.layers.${index}.input_layernorm.weight`),
        norm(`model.layers.${index}.post_attention_layernorm.weight`),
      ]),
      norm("model.norm.weight"),
      ...(tied ? [] : [{ name: "lm_head.weight", shape: [vocabularySize, hiddenSize], initial: "normal" as const }]),
    ],
    linears: linears.flat(),
    targets: { peft: ["q_proj", "v_proj"], usual: ["q_proj", "k_proj", "v_proj", "o_proj"] },
    head: { weight: tied ? EMBEDDING : "lm_head.weight", softcap: null },
    initializerRange: config.positive("initializer_range", 0.02),
    embed: (model) => gather(model.graph, model.weight(EMBEDDING), reshape(model.graph, model.ids, ["rows"])),
    block(model, hidden, index) {
      const { graph, positional } = model;
      const [query, key, value, output, gate, up, down] = linears[index];
      const normed = (x: typeof hidden, name: string) =>
        rmsNorm(graph, x, model.weight(`model.layers.${index}.${name}.weight`), epsilon);
      const x = normed(hidden, "input_layernorm");
      const mixed = attention(model, model.linear(x, query), model.linear(x, key), model.linear(x, value), {
        ...shape,
        layer: index,
        mask: positional.masks.full,
        rotary: positional.rotary.full,
      });
      const attended = add(graph, hidden, model.linear(mixed, output));
      const y = normed(attended, "post_attention_layernorm");
      return add(graph, attended, model.linear(swiglu(graph, model.linear(y, gate), model.linear(y, up)), down));
    },
    finish: (model, hidden) => rmsNorm(model.graph, hidden, model.weight("model.norm.weight"), epsilon),
  };
};

/** The checkpoint's tensors of a linear layer. */
export function weightsOf({ name, in: inner, out, bias, layout }: LinearSpec): WeightSpec[] {
  return [
    { name: `${name}.weight`, shape: layout === "out-in" ? [out, inner] : [inner, out], initial: "normal" },
    ...(bias ? [{ name: `${name}.bias`, shape: [out], initial: "zeros" as const }] : []),
  ];
}

function readTheta({ fields, refuse, positive }: ConfigReader): number {
  const rope = (fields.rope_parameters ?? {}) as Record<string, unknown>;
  for (const [name, scaling] of [
    ["rope_parameters", fields.rope_parameters],
    ["rope_scaling", fields.rope_scaling],
  ] as const) {
    const kind =
      (scaling as Record<string, unknown> | null | undefined)?.rope_type ?? (scaling as { type?: unknown })?.type;
    if (scaling != null && (kind ?? (name === "rope_scaling" ? null : "default")) !== "default")
      throw refuse(`${name}: expected none or "default", got ${showField(kind)}: scaled RoPE is not supported`);
  }
  const theta = rope.rope_theta;
  if (theta == null) return positive("rope_theta", 10000);
  if (typeof theta !== "number" || !(theta > 0) || !Number.isFinite(theta))
    throw refuse(`rope_theta: expected a number above 0, got ${showField(theta)}`);
  return theta;
}
