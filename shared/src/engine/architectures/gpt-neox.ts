import { showField } from "../../formats/model-config.ts";
import { add } from "../graph/operators.ts";
import { ACTIVATION_NAMES, ACTIVATIONS } from "../layers/activation.ts";
import { attention } from "../layers/attention.ts";
import { embedTokens } from "../layers/embedding.ts";
import { splitByHead } from "../layers/fused-projection.ts";
import type { LinearSpec } from "../layers/layer-context.ts";
import { type RotarySpec, rotaryFrequencies } from "../layers/rotary.ts";
import { type ArchitectureParser, type ConfigReader, readHeads } from "./config-reader.ts";
import { normed, normWeights } from "./layer-norm-weights.ts";
import { weightsOf } from "./linear-weights.ts";

const EMBEDDING = "gpt_neox.embed_in.weight";
const LAST_NORM = "gpt_neox.final_layer_norm";
/** In files; transformers calls it lm_head in memory. */
const HEAD = "embed_out.weight";

/** GPT-NeoX (Black et al., 2022) and Pythia. Dropouts of the config are not applied, as in evaluation mode. */
export const gptNeox: ArchitectureParser = (config, sizes) => {
  const { hiddenSize, ...shape } = readHeads(config, { heads: "num_attention_heads", hidden: "hidden_size" });
  const intermediateSize = config.size("intermediate_size");
  const blocks = config.layers("num_hidden_layers");
  const epsilon = config.positive("layer_norm_eps", 1e-5);
  const activate = ACTIVATIONS[config.oneOf("hidden_act", ACTIVATION_NAMES, "gelu")];
  const tied = config.flag("tie_word_embeddings", false);
  const parallel = config.flag("use_parallel_residual", true);
  const attentionBias = config.flag("attention_bias", true);
  const linears = Array.from({ length: blocks }, (_, index) => {
    const linear = (name: string, inner: number, out: number, bias: boolean): LinearSpec => ({
      name: `gpt_neox.layers.${index}.${name}`,
      in: inner,
      out,
      bias,
      layout: "out-in",
    });
    return [
      linear("attention.query_key_value", hiddenSize, 3 * hiddenSize, attentionBias),
      linear("attention.dense", hiddenSize, hiddenSize, attentionBias),
      linear("mlp.dense_h_to_4h", hiddenSize, intermediateSize, true),
      linear("mlp.dense_4h_to_h", intermediateSize, hiddenSize, true),
    ];
  });
  return {
    ...sizes,
    hiddenSize,
    intermediateSize,
    blocks,
    attention: shape,
    positional: {
      masks: { full: { window: null, slopes: null } },
      rotary: { full: readPartialRotary(config, shape.headSize) },
      tableOffset: null,
    },
    prefix: "gpt_neox.",
    weights: [
      { name: EMBEDDING, shape: [sizes.vocabularySize, hiddenSize], initial: "normal" },
      ...linears.flat().flatMap(weightsOf),
      ...linears.flatMap((_, index) =>
        ["input_layernorm", "post_attention_layernorm"].flatMap((name) =>
          normWeights(`gpt_neox.layers.${index}.${name}`, hiddenSize),
        ),
      ),
      ...normWeights(LAST_NORM, hiddenSize),
      ...(tied ? [] : [{ name: HEAD, shape: [sizes.vocabularySize, hiddenSize], initial: "normal" as const }]),
    ],
    linears: linears.flat(),
    targets: { peft: ["query_key_value"], usual: ["query_key_value"] },
    head: { weight: tied ? EMBEDDING : HEAD, softcap: null },
    initializerRange: config.positive("initializer_range", 0.02),
    embed: (model) => embedTokens(model, EMBEDDING),
    block(model, hidden, index) {
      const { graph, positional } = model;
      const [fused, output, up, down] = linears[index];
      const norm = (x: typeof hidden, name: string) => normed(model, x, `gpt_neox.layers.${index}.${name}`, epsilon);
      const before = norm(hidden, "input_layernorm");
      const [query, key, value] = splitByHead(graph, model.linear(before, fused), shape);
      const mixed = attention(model, query, key, value, {
        ...shape,
        layer: index,
        mask: positional.masks.full,
        rotary: positional.rotary.full,
      });
      const attended = add(graph, hidden, model.linear(mixed, output));
      // in parallel the MLP sees what attention saw, not what it gave
      const after = norm(parallel ? hidden : attended, "post_attention_layernorm");
      return add(graph, attended, model.linear(activate(graph, model.linear(after, up)), down));
    },
    finish: (model, hidden) => normed(model, hidden, LAST_NORM, epsilon),
  };
};

/** rope_parameters, or what older files have in its place: rotary_pct and rotary_emb_base. */
function readPartialRotary(config: ConfigReader, headSize: number): RotarySpec {
  const { fields, refuse } = config;
  const name = fields.rope_scaling != null ? "rope_scaling" : "rope_parameters";
  const rope = fields[name] ?? {};
  if (typeof rope !== "object" || Array.isArray(rope))
    throw refuse(`${name}: expected an object, got ${showField(rope)}`);
  const { rope_type, type, rope_theta, partial_rotary_factor } = rope as Record<string, unknown>;
  const kind = rope_type ?? type ?? "default";
  if (kind !== "default") throw refuse(`${name}.rope_type: expected "default", got ${showField(kind)}`);
  const positive = (value: unknown, nested: string, older: string, otherwise: number): number => {
    if (value == null) return config.positive(older, otherwise);
    if (typeof value !== "number" || !(value > 0) || !Number.isFinite(value))
      throw refuse(`${name}.${nested}: expected a number above 0, got ${showField(value)}`);
    return value;
  };
  const theta = positive(rope_theta, "rope_theta", "rotary_emb_base", 10_000);
  const share = positive(partial_rotary_factor, "partial_rotary_factor", "rotary_pct", 0.25);
  const turned = Math.floor(headSize * share);
  if (turned < 2 || turned > headSize || turned % 2 !== 0)
    throw refuse(
      `rotary_pct: expected an even number of a head's ${headSize} coordinates to be turned, got ${turned} (a share of ${share})`,
    );
  return { frequencies: rotaryFrequencies(turned, theta) };
}
