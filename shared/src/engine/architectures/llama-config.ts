import { openConfigFields, readModelConfig, showField } from "../../formats/model-config.ts";

/** A LLaMA model's config.json, as far as the engine needs it; Hugging Face's meanings. */
export interface LlamaConfig {
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  keyValueHeads: number;
  headSize: number;
  vocabularySize: number;
  contextTokens: number;
  normEpsilon: number;
  ropeTheta: number;
  attentionBias: boolean;
  mlpBias: boolean;
  /** the LM head is the embedding table */
  tiedHead: boolean;
  /** standard deviation of freshly drawn weights */
  initializerRange: number;
}

/** Far above any LLaMA's sizes; they keep a wrong file from asking for all memory. */
const MAX_SIZE = 1 << 20;
const MAX_LAYERS = 1024;

/**
 * @param json - config.json
 * @param what - the file as errors name it
 * @throws InvalidInputError `MODEL_CONFIG_INVALID` naming file, field, expected and got
 */
export function parseLlamaConfig(json: Uint8Array, what: string): LlamaConfig {
  const config = openConfigFields(json, what);
  const { fields, refuse, whole } = config;
  const positive = (holder: Record<string, unknown>, name: string, otherwise: number): number => {
    const value = holder[name] ?? otherwise;
    if (typeof value !== "number" || !(value > 0) || !Number.isFinite(value))
      throw refuse(`${name}: expected a number above 0, got ${showField(value)}`);
    return value;
  };
  const flag = (name: string): boolean => {
    const value = fields[name] ?? false;
    if (typeof value !== "boolean") throw refuse(`${name}: expected true or false, got ${showField(value)}`);
    return value;
  };
  const { modelType, vocabularySize, contextTokens } = readModelConfig(config);
  if (modelType !== "llama")
    throw refuse(`model_type: expected "llama", the only architecture yet, got ${showField(modelType)}`);
  if ((fields.hidden_act ?? "silu") !== "silu")
    throw refuse(`hidden_act: expected "silu", got ${showField(fields.hidden_act)}`);
  const hiddenSize = whole("hidden_size", MAX_SIZE);
  const heads = whole("num_attention_heads", MAX_SIZE);
  const keyValueHeads = whole("num_key_value_heads", heads, heads);
  if (heads % keyValueHeads !== 0)
    throw refuse(`num_key_value_heads: expected a divisor of num_attention_heads (${heads}), got ${keyValueHeads}`);
  if (fields.head_dim == null && hiddenSize % heads !== 0)
    throw refuse(`hidden_size: expected a multiple of num_attention_heads (${heads}), got ${hiddenSize}`);
  const headSize = whole("head_dim", MAX_SIZE, hiddenSize / heads);
  if (headSize % 2 !== 0) throw refuse(`head_dim: expected an even number, since RoPE turns halves, got ${headSize}`);
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
  return {
    hiddenSize,
    intermediateSize: whole("intermediate_size", MAX_SIZE),
    layers: whole("num_hidden_layers", MAX_LAYERS),
    heads,
    keyValueHeads,
    headSize,
    vocabularySize,
    contextTokens,
    normEpsilon: positive(fields, "rms_norm_eps", 1e-6),
    ropeTheta: positive(rope.rope_theta == null ? fields : rope, "rope_theta", 10000),
    attentionBias: flag("attention_bias"),
    mlpBias: flag("mlp_bias"),
    tiedHead: flag("tie_word_embeddings"),
    initializerRange: positive(fields, "initializer_range", 0.02),
  };
}
