import { showField } from "../../formats/model-config.ts";
import type { ArchitectureParser } from "./config-reader.ts";
import { gatedDecoder, readGatedDecoderSizes } from "./gated-decoder.ts";
import { masksOf, readLayerTypes, readWindow } from "./layer-types.ts";
import { readGemmaAttention, readSoftcap } from "./read-gemma-attention.ts";
import { readRopeByKind } from "./read-rope.ts";

/** Gemma 3's text models (Gemma Team, 2025): head norms for Gemma 2's softcaps, and positions of their own for windowed blocks. */
export const gemma3Text: ArchitectureParser = (config, given) => {
  const sizes = readGatedDecoderSizes(config, given, true);
  const { biases, ...attention } = readGemmaAttention(config, sizes.hiddenSize);
  config.oneOf("hidden_activation", ["gelu_pytorch_tanh"], "gelu_pytorch_tanh");
  const pattern = config.size("sliding_window_pattern", 6);
  const layerTypes = readLayerTypes(config, sizes.blocks, (index) =>
    (index + 1) % pattern === 0 ? "full" : "sliding",
  );
  const { attn_logit_softcapping: cap } = config.fields;
  if (cap != null) throw config.refuse(`attn_logit_softcapping: expected null, got ${showField(cap)}`);
  return gatedDecoder({
    ...sizes,
    attention: { ...attention, headNorms: true },
    biases,
    activation: "gelu_pytorch_tanh",
    normsAroundOne: true,
    normsAfter: true,
    masks: masksOf(config, layerTypes, readWindow(config, 4096)),
    rotary: readRopeByKind(config, attention.headSize, sizes.contextTokens),
    positions: (index) => ({ mask: layerTypes[index], rotary: layerTypes[index] }),
    embeddingScale: Math.sqrt(sizes.hiddenSize),
    headSoftcap: readSoftcap(config, "final_logit_softcapping", null),
    targets: { peft: ["q_proj", "v_proj"], usual: ["q_proj", "v_proj"] },
  });
};
