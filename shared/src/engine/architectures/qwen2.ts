import { type ArchitectureParser, readGroupedHeads } from "./config-reader.ts";
import { gatedDecoder, readGatedDecoderSizes } from "./gated-decoder.ts";
import { masksOf, readQwenLayerTypes } from "./layer-types.ts";
import { readRope } from "./read-rope.ts";

/** Qwen2 and Qwen2.5 (Yang et al., 2024): LLaMA with biases on queries, keys and values; later blocks may have a window. */
export const qwen2: ArchitectureParser = (config, given) => {
  const sizes = readGatedDecoderSizes(config, given, false);
  const attention = readGroupedHeads(config, sizes.hiddenSize);
  config.oneOf("hidden_act", ["silu"], "silu");
  const { layerTypes, window } = readQwenLayerTypes(config, sizes.blocks);
  return gatedDecoder({
    ...sizes,
    attention,
    biases: { queryKeyValue: true, output: false, mlp: false },
    masks: masksOf(config, layerTypes, window),
    rotary: { all: readRope(config, attention.headSize, sizes.contextTokens) },
    positions: (index) => ({ mask: layerTypes[index], rotary: "all" }),
    targets: { peft: ["q_proj", "v_proj"], usual: ["q_proj", "v_proj"] },
  });
};
