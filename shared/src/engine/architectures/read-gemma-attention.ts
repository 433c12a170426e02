import { showField } from "../../formats/model-config.ts";
import { type ConfigReader, readGroupedHeads } from "./config-reader.ts";

/** What Gemma 2 and 3 say of attention alike. */
export function readGemmaAttention(config: ConfigReader, hiddenSize: number) {
  const shape = readGroupedHeads(config, hiddenSize, 256);
  const bias = config.flag("attention_bias", false);
  if (config.flag("use_bidirectional_attention", false))
    throw config.refuse("use_bidirectional_attention: expected false, got true: a causal model never looks ahead");
  return {
    ...shape,
    scale: 1 / Math.sqrt(config.positive("query_pre_attn_scalar", 256)),
    biases: { queryKeyValue: bias, output: bias, mlp: false },
  };
}

/** @param otherwise - where the field is missing; null: there is no softcap */
export function readSoftcap({ fields, refuse }: ConfigReader, name: string, otherwise: number | null): number | null {
  const value = fields[name] === undefined ? otherwise : fields[name];
  if (value === null) return null;
  if (typeof value !== "number" || !(value > 0) || !Number.isFinite(value))
    throw refuse(`${name}: expected null or a number above 0, got ${showField(value)}`);
  return value;
}
