import { showField } from "../../formats/model-config.ts";
import { type ArchitectureParser, readGroupedHeads } from "./config-reader.ts";
import { gatedDecoder, readGatedDecoderSizes } from "./gated-decoder.ts";
import { readWindow } from "./layer-types.ts";
import { readRope } from "./read-rope.ts";

/** Mistral (Jiang et al., 2023): LLaMA with a window in every block, where the config has one. */
export const mistral: ArchitectureParser = (config, given) => {
  const sizes = readGatedDecoderSizes(config, given, false);
  const attention = readGroupedHeads(config, sizes.hiddenSize);
  config.oneOf("hidden_act", ["silu"], "silu");
  // transformers' AutoConfig takes such a file for a Ministral, whose windows differ by layer
  if (config.fields.layer_types != null)
    throw config.refuse(`layer_types: expected none for a mistral model, got ${showField(config.fields.layer_types)}`);
  return gatedDecoder({
    ...sizes,
    attention,
    masks: { all: { window: readWindow(config, 4096), slopes: null } },
    rotary: { all: readRope(config, attention.headSize, sizes.contextTokens) },
    positions: () => ({ mask: "all", rotary: "all" }),
    targets: { peft: ["q_proj", "v_proj"], usual: ["q_proj", "v_proj"] },
  });
};
