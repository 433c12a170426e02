import { type ArchitectureParser, readGroupedHeads } from "./config-reader.ts";
import { gatedDecoder, readGatedDecoderSizes } from "./gated-decoder.ts";
import { readRope } from "./read-rope.ts";

/** LLaMA 1 to 3 (Touvron et al., 2023), and what shares its config: SmolLM2, TinyLlama, Sheared-LLaMA. */
export const llama: ArchitectureParser = (config, given) => {
  const sizes = readGatedDecoderSizes(config, given, false);
  const attention = readGroupedHeads(config, sizes.hiddenSize);
  const attentionBias = config.flag("attention_bias", false);
  config.oneOf("hidden_act", ["silu"], "silu");
  return gatedDecoder({
    ...sizes,
    attention,
    biases: { queryKeyValue: attentionBias, output: attentionBias, mlp: config.flag("mlp_bias", false) },
    masks: { full: { window: null, slopes: null } },
    rotary: { full: readRope(config, attention.headSize, sizes.contextTokens) },
    positions: () => ({ mask: "full", rotary: "full" }),
    targets: { peft: ["q_proj", "v_proj"], usual: ["q_proj", "k_proj", "v_proj", "o_proj"] },
  });
};
