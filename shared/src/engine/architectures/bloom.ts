import { add } from "../graph/operators.ts";
import { geluByTanh } from "../layers/activation.ts";
import { attention } from "../layers/attention.ts";
import { embedTokens } from "../layers/embedding.ts";
import { splitByHead } from "../layers/fused-projection.ts";
import type { LinearSpec } from "../layers/layer-context.ts";
import { type ArchitectureParser, readHeads } from "./config-reader.ts";
import { normed, normWeights } from "./layer-norm-weights.ts";
import { weightsOf } from "./linear-weights.ts";

const EMBEDDING = "transformer.word_embeddings.weight";
const FIRST_NORM = "transformer.word_embeddings_layernorm";
const LAST_NORM = "transformer.ln_f";
const HEAD = "lm_head.weight";

/** BLOOM (Scao et al., 2022). Dropouts of the config are not applied, as in evaluation mode. */
export const bloom: ArchitectureParser = (config, sizes) => {
  const { named } = config;
  const { hiddenSize, ...shape } = readHeads(config, {
    heads: named("n_head", "num_attention_heads"),
    hidden: named("n_embed", "hidden_size"),
  });
  const intermediateSize = 4 * hiddenSize;
  const blocks = config.layers(named("n_layer", "num_hidden_layers"));
  const epsilon = config.positive("layer_norm_epsilon", 1e-5);
  const tied = config.flag("tie_word_embeddings", true);
  const normedResidual = config.flag("apply_residual_connection_post_layernorm", false);
  // with it transformers leaves two biases out where pretraining_tp is above 1
  config.only("slow_but_exact", false);
  const linears = Array.from({ length: blocks }, (_, index) => {
    const linear = (name: string, inner: number, out: number): LinearSpec => ({
      name: `transformer.h.${index}.${name}`,
      in: inner,
      out,
      bias: true,
      layout: "out-in",
    });
    return [
      linear("self_attention.query_key_value", hiddenSize, 3 * hiddenSize),
      linear("self_attention.dense", hiddenSize, hiddenSize),
      linear("mlp.dense_h_to_4h", hiddenSize, intermediateSize),
      linear("mlp.dense_4h_to_h", intermediateSize, hiddenSize),
    ];
  });
  return {
    ...sizes,
    hiddenSize,
    intermediateSize,
    blocks,
    attention: shape,
    positional: {
      masks: { full: { window: null, slopes: alibiSlopes(shape.heads) } },
      rotary: {},
      tableOffset: null,
    },
    prefix: "transformer.",
    weights: [
      { name: EMBEDDING, shape: [sizes.vocabularySize, hiddenSize], initial: "normal" },
      ...normWeights(FIRST_NORM, hiddenSize),
      ...linears.flat().flatMap(weightsOf),
      ...linears.flatMap((_, index) =>
        ["input_layernorm", "post_attention_layernorm"].flatMap((name) =>
          normWeights(`transformer.h.${index}.${name}`, hiddenSize),
        ),
      ),
      ...normWeights(LAST_NORM, hiddenSize),
      ...(tied ? [] : [{ name: HEAD, shape: [sizes.vocabularySize, hiddenSize], initial: "normal" as const }]),
    ],
    linears: linears.flat(),
    targets: { peft: ["query_key_value"], usual: ["query_key_value"] },
    head: { weight: tied ? EMBEDDING : HEAD, softcap: null },
    initializerRange: config.positive("initializer_range", 0.02),
    embed: (model) => normed(model, embedTokens(model, EMBEDDING), FIRST_NORM, epsilon),
    block(model, hidden, index) {
      const { graph, positional } = model;
      const [fused, output, up, down] = linears[index];
      const norm = (x: typeof hidden, name: string) => normed(model, x, `transformer.h.${index}.${name}`, epsilon);
      const before = norm(hidden, "input_layernorm");
      const [query, key, value] = splitByHead(graph, model.linear(before, fused), shape);
      const mixed = attention(model, query, key, value, {
        ...shape,
        layer: index,
        mask: positional.masks.full,
        rotary: null,
      });
      const attended = add(graph, normedResidual ? before : hidden, model.linear(mixed, output));
      const after = norm(attended, "post_attention_layernorm");
      const wide = geluByTanh(graph, model.linear(after, up));
      return add(graph, normedResidual ? after : attended, model.linear(wide, down));
    },
    finish: (model, hidden) => normed(model, hidden, LAST_NORM, epsilon),
  };
};

/**
 * ALiBi's slopes (Press et al., 2022): powers of 2^(−8 / heads). Where the number of heads is no power of two, those of the
 * largest one below it, then every other one of twice as many heads.
 */
export function alibiSlopes(heads: number): number[] {
  const whole = 2 ** Math.floor(Math.log2(heads));
  const power = (of: number, exponent: number) => 2 ** ((-8 / of) * exponent);
  return Array.from({ length: heads }, (_, head) =>
    head < whole ? power(whole, head + 1) : power(2 * whole, 2 * (head - whole) + 1),
  );
}
