import { MAX_CONTEXT } from "../../core/model-limits.ts";
import { showField } from "../../formats/model-config.ts";
import type { MaskSpec } from "../layers/attention-mask.ts";
import type { ConfigReader } from "./config-reader.ts";

/** Whether a block's tokens look at all tokens before them, or at a window of them alone. */
export type LayerType = "full" | "sliding";

const NAMES: Readonly<Record<string, LayerType>> = { full_attention: "full", sliding_attention: "sliding" };

/**
 * config.json's layer_types, one for each block.
 * @param otherwise - a block's where the field is missing
 */
export function readLayerTypes(
  { fields, refuse }: ConfigReader,
  blocks: number,
  otherwise: (index: number) => LayerType,
): LayerType[] {
  const given = fields.layer_types;
  if (given == null) return Array.from({ length: blocks }, (_, index) => otherwise(index));
  if (!Array.isArray(given) || given.length !== blocks)
    throw refuse(`layer_types: expected a list of ${blocks}, one for each layer, got ${showField(given)}`);
  return given.map((name: unknown, index) => {
    if (typeof name !== "string" || !Object.hasOwn(NAMES, name))
      throw refuse(
        `layer_types[${index}]: expected ${Object.keys(NAMES).map(showField).join(" or ")}, got ${showField(name)}`,
      );
    return NAMES[name];
  });
}

/**
 * The masks of the kinds that the blocks have.
 * @param window - tokens, the own one included
 * @throws InvalidInputError `MODEL_CONFIG_INVALID` where there is a block with a window, and no window
 */
export function masksOf(
  { refuse }: ConfigReader,
  layerTypes: readonly LayerType[],
  window: number | null,
): Record<string, MaskSpec> {
  if (window === null && layerTypes.includes("sliding"))
    throw refuse("sliding_window: expected a number of tokens, since layer_types has sliding_attention, got none");
  return Object.fromEntries(
    [...new Set(layerTypes)].map((type) => [type, { window: type === "sliding" ? window : null, slopes: null }]),
  );
}

/** sliding_window; null says that there is none. @param otherwise - where the field is missing */
export function readWindow({ fields, whole }: ConfigReader, otherwise: number): number | null {
  return fields.sliding_window === null ? null : whole("sliding_window", MAX_CONTEXT, otherwise);
}

/** Of a Qwen2 or Qwen3: a window in the blocks from max_window_layers on, where use_sliding_window says so. */
export function readQwenLayerTypes(config: ConfigReader, blocks: number) {
  const window = config.flag("use_sliding_window", false) ? readWindow(config, 4096) : null;
  const first = window === null ? blocks : readFirstWindowed(config);
  const layerTypes = readLayerTypes(config, blocks, (index) => (index >= first ? "sliding" : "full"));
  return { layerTypes, window };
}

function readFirstWindowed({ fields, refuse }: ConfigReader): number {
  const first = fields.max_window_layers ?? 28;
  if (!Number.isInteger(first) || (first as number) < 0)
    throw refuse(`max_window_layers: expected a whole number from 0 on, got ${showField(first)}`);
  return first as number;
}
