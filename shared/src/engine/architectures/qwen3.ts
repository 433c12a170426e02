import { type ArchitectureParser, readGroupedHeads } from "./config-reader.ts";
import { gatedDecoder, readGatedDecoderSizes } from "./gated-decoder.ts";
import { masksOf, readQwenLayerTypes } from "./layer-types.ts";
import { readRope } from "./read-rope.ts";

/** Qwen3 (Yang et al., 2025): Qwen2 with norms of each head's queries and keys in place of biases. */
export const qwen3: ArchitectureParser = (config, given) => {
  const sizes = readGatedDecoderSizes(config, given, false);
  const attention = readGroupedHeads(config, sizes.hiddenSize, 128);
  const attentionBias = config.flag("attention_bias", false);
  config.oneOf("hidden_act", ["silu"], "silu");
  const { layerTypes, window } = readQwenLayerTypes(config, sizes.blocks);
  return gatedDecoder({
    ...sizes,
    attention: { ...attention, headNorms: true },
    biases: { queryKeyValue: attentionBias, output: attentionBias, mlp: false },
    masks: masksOf(config, layerTypes, window),
    rotary: { all: readRope(config, attention.headSize, sizes.contextTokens) },
    positions: (index) => ({ mask: layerTypes[index], rotary: "all" }),
    targets: { peft: ["q_proj", "v_proj"], usual: ["q_proj", "v_proj"] },
  });
};
