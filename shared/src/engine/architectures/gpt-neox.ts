import { add } from "../graph/operators.ts";
import { ACTIVATION_NAMES, ACTIVATIONS } from "../layers/activation.ts";
import { attention } from "../layers/attention.ts";
import { embedTokens } from "../layers/embedding.ts";
import { splitByHead } from "../layers/fused-projection.ts";
import type { LinearSpec } from "../layers/layer-context.ts";
import { type ArchitectureParser, readHeads } from "./config-reader.ts";
import { normed, normWeights } from "./layer-norm-weights.ts";
import { weightsOf } from "./linear-weights.ts";
import { readPartialRope } from "./read-rope.ts";

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
      rotary: { full: readPartialRope(config, shape.headSize) },
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
