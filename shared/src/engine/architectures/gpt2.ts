import { add } from "../graph/operators.ts";
import { ACTIVATION_NAMES, ACTIVATIONS } from "../layers/activation.ts";
import { attention } from "../layers/attention.ts";
import { addPositions, embedTokens } from "../layers/embedding.ts";
import { splitInTurn } from "../layers/fused-projection.ts";
import type { LinearSpec } from "../layers/layer-context.ts";
import { type ArchitectureParser, readHeads } from "./config-reader.ts";
import { normed, normWeights } from "./layer-norm-weights.ts";
import { weightsOf } from "./linear-weights.ts";

const EMBEDDING = "transformer.wte.weight";
const POSITIONS = "transformer.wpe.weight";
const LAST_NORM = "transformer.ln_f";
const HEAD = "lm_head.weight";

/**
 * GPT-2 (Radford et al., 2019). `reorder_and_upcast_attn` changes nothing in f32, and is accepted. Dropouts of the config
 * (`resid_pdrop` and others) are not applied, as in PEFT's model in evaluation mode. A fresh model's `c_proj` is drawn as every
 * matrix is; transformers divides its deviation by √(2 × layers).
 */
export const gpt2: ArchitectureParser = (config, sizes) => {
  const { named } = config;
  const { hiddenSize, ...shape } = readHeads(config, {
    heads: named("n_head", "num_attention_heads"),
    hidden: named("n_embd", "hidden_size"),
  });
  const intermediateSize = config.size("n_inner", 4 * hiddenSize);
  const blocks = config.layers(named("n_layer", "num_hidden_layers"));
  const epsilon = config.positive("layer_norm_epsilon", 1e-5);
  const activate = ACTIVATIONS[config.oneOf("activation_function", ACTIVATION_NAMES, "gelu_new")];
  const tied = config.flag("tie_word_embeddings", true);
  const scale = config.flag("scale_attn_weights", true) ? 1 / Math.sqrt(shape.headSize) : 1;
  const byDepth = config.flag("scale_attn_by_inverse_layer_idx", false);
  config.only("add_cross_attention", false);
  const linears = Array.from({ length: blocks }, (_, index) => {
    const linear = (name: string, inner: number, out: number): LinearSpec => ({
      name: `transformer.h.${index}.${name}`,
      in: inner,
      out,
      bias: true,
      layout: "in-out",
    });
    return [
      linear("attn.c_attn", hiddenSize, 3 * hiddenSize),
      linear("attn.c_proj", hiddenSize, hiddenSize),
      linear("mlp.c_fc", hiddenSize, intermediateSize),
      linear("mlp.c_proj", intermediateSize, hiddenSize),
    ];
  });
  return {
    ...sizes,
    hiddenSize,
    intermediateSize,
    blocks,
    attention: shape,
    positional: { masks: { full: { window: null, slopes: null } }, rotary: {}, tableOffset: 0 },
    prefix: "transformer.",
    weights: [
      { name: EMBEDDING, shape: [sizes.vocabularySize, hiddenSize], initial: "normal" },
      { name: POSITIONS, shape: [sizes.contextTokens, hiddenSize], initial: "normal" },
      ...linears.flat().flatMap(weightsOf),
      ...linears.flatMap((_, index) =>
        ["ln_1", "ln_2"].flatMap((name) => normWeights(`transformer.h.${index}.${name}`, hiddenSize)),
      ),
      ...normWeights(LAST_NORM, hiddenSize),
      ...(tied ? [] : [{ name: HEAD, shape: [sizes.vocabularySize, hiddenSize], initial: "normal" as const }]),
    ],
    linears: linears.flat(),
    targets: { peft: ["c_attn"], usual: ["c_attn"] },
    head: { weight: tied ? EMBEDDING : HEAD, softcap: null },
    initializerRange: config.positive("initializer_range", 0.02),
    embed: (model) => addPositions(model, embedTokens(model, EMBEDDING), POSITIONS),
    block(model, hidden, index) {
      const { graph, positional } = model;
      const [fused, output, up, down] = linears[index];
      const norm = (x: typeof hidden, name: string) => normed(model, x, `transformer.h.${index}.${name}`, epsilon);
      const [query, key, value] = splitInTurn(graph, model.linear(norm(hidden, "ln_1"), fused));
      const mixed = attention(model, query, key, value, {
        ...shape,
        layer: index,
        scale: byDepth ? scale / (index + 1) : scale,
        mask: positional.masks.full,
        rotary: null,
      });
      const attended = add(graph, hidden, model.linear(mixed, output));
      const wide = activate(graph, model.linear(norm(attended, "ln_2"), up));
      return add(graph, attended, model.linear(wide, down));
    },
    finish: (model, hidden) => normed(model, hidden, LAST_NORM, epsilon),
  };
};
