import { type ConfigFields, type ModelConfig, showField } from "../../formats/model-config.ts";
import type { Architecture } from "./architecture.ts";

/** Makes an architecture of a config.json. @throws InvalidInputError `MODEL_CONFIG_INVALID` naming the field */
export type ArchitectureParser = (config: ConfigReader, sizes: ModelConfig) => Architecture;

/** config.json's fields by kind. Each reader refuses a wrong value, naming file and field. */
export interface ConfigReader extends ConfigFields {
  /** a size of the model, such as hidden_size */
  size(name: string, otherwise?: number): number;
  /** num_hidden_layers, or what an architecture calls it */
  layers(name: string): number;
  /** a finite number above 0 */
  positive(name: string, otherwise: number): number;
  flag(name: string, otherwise: boolean): boolean;
  /** Refuses every value but this one; missing and null count as it. */
  only(name: string, value: boolean): void;
  /** Refuses every value but these; missing and null count as `otherwise`. */
  oneOf<T extends string>(name: string, values: readonly T[], otherwise: T): T;
}

/** Far above any model's sizes; they keep a wrong file from asking for all memory. */
const MAX_SIZE = 1 << 20;
const MAX_LAYERS = 1024;

export function openConfigReader(config: ConfigFields): ConfigReader {
  const { fields, refuse, whole } = config;
  return {
    ...config,
    size: (name, otherwise) => whole(name, MAX_SIZE, otherwise),
    layers: (name) => whole(name, MAX_LAYERS),
    positive(name, otherwise) {
      const value = fields[name] ?? otherwise;
      if (typeof value !== "number" || !(value > 0) || !Number.isFinite(value))
        throw refuse(`${name}: expected a number above 0, got ${showField(value)}`);
      return value;
    },
    flag(name, otherwise) {
      const value = fields[name] ?? otherwise;
      if (typeof value !== "boolean") throw refuse(`${name}: expected true or false, got ${showField(value)}`);
      return value;
    },
    only(name, value) {
      const found = fields[name] ?? value;
      if (found !== value) throw refuse(`${name}: expected ${value}, got ${showField(found)}`);
    },
    oneOf(name, values, otherwise) {
      const value = fields[name] ?? otherwise;
      const found = values.find((one) => one === value);
      if (found === undefined)
        throw refuse(`${name}: expected ${values.map(showField).join(" or ")}, got ${showField(value)}`);
      return found;
    },
  };
}

/**
 * heads, key-value heads and the size of each, by LLaMA's names.
 * @param otherwise - the size where head_dim is missing; hidden_size / heads unless given
 */
export function readGroupedHeads(config: ConfigReader, hiddenSize: number, otherwise?: number) {
  const { fields, refuse, whole, size } = config;
  const heads = size("num_attention_heads");
  const keyValueHeads = whole("num_key_value_heads", heads, heads);
  if (heads % keyValueHeads !== 0)
    throw refuse(`num_key_value_heads: expected a divisor of num_attention_heads (${heads}), got ${keyValueHeads}`);
  if (fields.head_dim == null && otherwise === undefined && hiddenSize % heads !== 0)
    throw refuse(`hidden_size: expected a multiple of num_attention_heads (${heads}), got ${hiddenSize}`);
  const headSize = size("head_dim", otherwise ?? hiddenSize / heads);
  if (headSize % 2 !== 0) throw refuse(`head_dim: expected an even number, since RoPE turns halves, got ${headSize}`);
  return { heads, keyValueHeads, headSize };
}

/** heads and the size of each, where every head has its own keys; its names are the file's. */
export function readHeads(
  { refuse, size, fields }: ConfigReader,
  names: { heads: string; hidden: string },
): { hiddenSize: number; heads: number; keyValueHeads: number; headSize: number } {
  const hiddenSize = size(names.hidden);
  const heads = size(names.heads);
  if (hiddenSize % heads !== 0)
    throw refuse(
      `${names.hidden}: expected a multiple of ${names.heads} (${heads}), got ${showField(fields[names.hidden])}`,
    );
  return { hiddenSize, heads, keyValueHeads: heads, headSize: hiddenSize / heads };
}
