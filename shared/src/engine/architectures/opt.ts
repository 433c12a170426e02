import type { Value } from "../graph/builder.ts";
import { add } from "../graph/operators.ts";
import { ACTIVATION_NAMES, ACTIVATIONS } from "../layers/activation.ts";
import { attention } from "../layers/attention.ts";
import { addPositions, embedTokens } from "../layers/embedding.ts";
import type { LayerContext, LinearSpec } from "../layers/layer-context.ts";
import { layerNorm } from "../layers/layer-norm.ts";
import { type ArchitectureParser, readHeads } from "./config-reader.ts";
import { normed, normWeights } from "./layer-norm-weights.ts";
import { weightsOf } from "./linear-weights.ts";

const EMBEDDING = "model.decoder.embed_tokens.weight";
const POSITIONS = "model.decoder.embed_positions.weight";
const LAST_NORM = "model.decoder.final_layer_norm";
const HEAD = "lm_head.weight";
/** The table of positions has so many rows before that of the first position. */
const POSITION_OFFSET = 2;
/** torch's, which OPT's config cannot change. */
const EPSILON = 1e-5;

/**
 * OPT (Zhang et al., 2022). Dropouts of the config, and layerdrop, are not applied, as in evaluation mode. Where all weights are
 * trained, the embedding of pad_token_id learns as every other; transformers never moves it by what a text holds.
 */
export const opt: ArchitectureParser = (config, sizes) => {
  const { hiddenSize, ...shape } = readHeads(config, { heads: "num_attention_heads", hidden: "hidden_size" });
  const intermediateSize = config.size("ffn_dim");
  const blocks = config.layers("num_hidden_layers");
  const embeddingSize = config.size("word_embed_proj_dim", hiddenSize);
  const activate = ACTIVATIONS[config.oneOf("activation_function", ACTIVATION_NAMES, "relu")];
  const tied = config.flag("tie_word_embeddings", true);
  const normFirst = config.flag("do_layer_norm_before", true);
  const normLast = normFirst && !config.flag("_remove_final_layer_norm", false);
  const bias = config.flag("enable_bias", true);
  const affine = config.flag("layer_norm_elementwise_affine", true);
  const linear = (name: string, inner: number, out: number, biased: boolean): LinearSpec => ({
    name: `model.decoder.${name}`,
    in: inner,
    out,
    bias: biased,
    layout: "out-in",
  });
  const projections =
    embeddingSize === hiddenSize
      ? null
      : {
          in: linear("project_in", embeddingSize, hiddenSize, false),
          out: linear("project_out", hiddenSize, embeddingSize, false),
        };
  const ofBlocks = Array.from({ length: blocks }, (_, index) => [
    linear(`layers.${index}.self_attn.q_proj`, hiddenSize, hiddenSize, bias),
    linear(`layers.${index}.self_attn.k_proj`, hiddenSize, hiddenSize, bias),
    linear(`layers.${index}.self_attn.v_proj`, hiddenSize, hiddenSize, bias),
    linear(`layers.${index}.self_attn.out_proj`, hiddenSize, hiddenSize, bias),
    linear(`layers.${index}.fc1`, hiddenSize, intermediateSize, bias),
    linear(`layers.${index}.fc2`, intermediateSize, hiddenSize, bias),
  ]);
  const linears = projections ? [projections.in, ...ofBlocks.flat(), projections.out] : ofBlocks.flat();
  const norms = [
    ...ofBlocks.flatMap((_, index) =>
      ["self_attn_layer_norm", "final_layer_norm"].map((name) => `model.decoder.layers.${index}.${name}`),
    ),
    ...(normLast ? [LAST_NORM] : []),
  ];
  const norm = (model: LayerContext, x: Value, name: string): Value =>
    affine ? normed(model, x, name, EPSILON) : layerNorm(model.graph, x, { gamma: null, beta: null }, EPSILON);
  const normAtEnd = (model: LayerContext, x: Value): Value => (normLast ? norm(model, x, LAST_NORM) : x);
  return {
    ...sizes,
    hiddenSize,
    intermediateSize,
    blocks,
    attention: shape,
    positional: { masks: { full: { window: null, slopes: null } }, rotary: {}, tableOffset: POSITION_OFFSET },
    prefix: "model.",
    weights: [
      { name: EMBEDDING, shape: [sizes.vocabularySize, embeddingSize], initial: "normal" },
      { name: POSITIONS, shape: [sizes.contextTokens + POSITION_OFFSET, hiddenSize], initial: "normal" },
      ...linears.flatMap(weightsOf),
      ...(affine ? norms.flatMap((name) => normWeights(name, hiddenSize)) : []),
      ...(tied ? [] : [{ name: HEAD, shape: [sizes.vocabularySize, embeddingSize], initial: "normal" as const }]),
    ],
    linears,
    targets: { peft: ["q_proj", "v_proj"], usual: ["q_proj", "v_proj"] },
    head: { weight: tied ? EMBEDDING : HEAD, softcap: null },
    initializerRange: config.positive("init_std", 0.02),
    embed(model) {
      const tokens = embedTokens(model, EMBEDDING);
      return addPositions(model, projections ? model.linear(tokens, projections.in) : tokens, POSITIONS);
    },
    block(model, hidden, index) {
      const { graph, positional } = model;
      const [query, key, value, output, up, down] = ofBlocks[index];
      const normOf = (x: Value, name: string) => norm(model, x, `model.decoder.layers.${index}.${name}`);
      const residual = (x: Value, name: string, change: (x: Value) => Value): Value =>
        normFirst ? add(graph, x, change(normOf(x, name))) : normOf(add(graph, x, change(x)), name);
      const attended = residual(hidden, "self_attn_layer_norm", (x) => {
        const mixed = attention(model, model.linear(x, query), model.linear(x, key), model.linear(x, value), {
          ...shape,
          layer: index,
          mask: positional.masks.full,
          rotary: null,
        });
        return model.linear(mixed, output);
      });
      const last = residual(attended, "final_layer_norm", (x) =>
        model.linear(activate(graph, model.linear(x, up)), down),
      );
      // not in `finish`, which sees some rows only: a layer that LoRA may adapt takes all of them, as dropout's masks do
      return projections && index === blocks - 1 ? model.linear(normAtEnd(model, last), projections.out) : last;
    },
    finish: (model, hidden) => (projections ? hidden : normAtEnd(model, hidden)),
  };
};
