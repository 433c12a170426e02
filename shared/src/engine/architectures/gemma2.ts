import type { ArchitectureParser } from "./config-reader.ts";
import { gatedDecoder, readGatedDecoderSizes } from "./gated-decoder.ts";
import { masksOf, readLayerTypes, readWindow } from "./layer-types.ts";
import { readGemmaAttention, readSoftcap } from "./read-gemma-attention.ts";
import { readRope } from "./read-rope.ts";

/** Gemma 2 (Gemma Team, 2024): norms before and after, softcaps on scores and logits, a window in every other block. */
export const gemma2: ArchitectureParser = (config, given) => {
  const sizes = readGatedDecoderSizes(config, given, true);
  const { biases, ...attention } = readGemmaAttention(config, sizes.hiddenSize);
  config.oneOf("hidden_activation", ["gelu_pytorch_tanh"], "gelu_pytorch_tanh");
  const layerTypes = readLayerTypes(config, sizes.blocks, (index) => (index % 2 === 0 ? "sliding" : "full"));
  return gatedDecoder({
    ...sizes,
    attention: { ...attention, softcap: readSoftcap(config, "attn_logit_softcapping", 50) },
    biases,
    activation: "gelu_pytorch_tanh",
    normsAroundOne: true,
    normsAfter: true,
    masks: masksOf(config, layerTypes, readWindow(config, 4096)),
    rotary: { all: readRope(config, attention.headSize, sizes.contextTokens) },
    positions: (index) => ({ mask: layerTypes[index], rotary: "all" }),
    embeddingScale: Math.sqrt(sizes.hiddenSize),
    headSoftcap: readSoftcap(config, "final_logit_softcapping", 30),
    targets: { peft: ["q_proj", "v_proj"], usual: ["q_proj", "v_proj"] },
  });
};
