import { showField } from "../../formats/model-config.ts";
import { type RopeScaling, scaleFrequencies } from "../layers/rope-scaling.ts";
import { type RotarySpec, rotaryFrequencies } from "../layers/rotary.ts";
import type { ConfigReader } from "./config-reader.ts";

type Fields = Readonly<Record<string, unknown>>;

const DEFAULT_THETA = 10000;

/** Rotary positions by config.json's rope_theta with rope_scaling, or rope_parameters, which newer files have for both. */
export function readRope(config: ConfigReader, headSize: number, contextTokens: number): RotarySpec {
  const { name, rope } = readRopeFields(config);
  const theta =
    rope.rope_theta == null
      ? config.positive("rope_theta", DEFAULT_THETA)
      : readNumber(config, name, rope, "rope_theta");
  return readFrequencies(config, name, rope, { headSize, contextTokens, theta });
}

/** Of a model whose kinds of layers have positions of their own: rope_parameters by kind, or Gemma 3's older fields. */
export function readRopeByKind(config: ConfigReader, headSize: number, contextTokens: number) {
  const { fields, positive } = config;
  const byKind = readFields(config, "rope_parameters", fields.rope_parameters ?? {});
  const other = Object.keys(byKind).find((kind) => kind !== "full_attention" && kind !== "sliding_attention");
  if (other !== undefined)
    throw config.refuse(
      `rope_parameters: expected full_attention and sliding_attention, each with its own, got ${showField(other)}`,
    );
  const read = (kind: string, scaling: Fields, thetaName: string, otherwise: number) => {
    const name = `rope_parameters.${kind}`;
    const rope = { ...readFields(config, name, byKind[kind] ?? {}), ...scaling };
    const theta =
      rope.rope_theta == null ? positive(thetaName, otherwise) : readNumber(config, name, rope, "rope_theta");
    return readFrequencies(config, name, rope, { headSize, contextTokens, theta });
  };
  const scaling = readFields(config, "rope_scaling", fields.rope_scaling ?? {});
  return {
    full: read("full_attention", scaling, "rope_theta", 1e6),
    sliding: read("sliding_attention", {}, "rope_local_base_freq", DEFAULT_THETA),
  };
}

/** Where only a share of a head is turned: rope_parameters, or what older files have in its place, rotary_pct and rotary_emb_base. */
export function readPartialRope(config: ConfigReader, headSize: number): RotarySpec {
  const { positive, refuse } = config;
  const { name, rope } = readRopeFields(config);
  const kind = rope.rope_type ?? rope.type ?? "default";
  if (kind !== "default") throw refuse(`${name}.rope_type: expected "default", got ${showField(kind)}`);
  const read = (field: string, older: string, otherwise: number) =>
    rope[field] == null ? positive(older, otherwise) : readNumber(config, name, rope, field);
  const theta = read("rope_theta", "rotary_emb_base", DEFAULT_THETA);
  const share = read("partial_rotary_factor", "rotary_pct", 0.25);
  const turned = Math.floor(headSize * share);
  if (turned < 2 || turned > headSize || turned % 2 !== 0)
    throw refuse(
      `rotary_pct: expected an even number of a head's ${headSize} coordinates to be turned, got ${turned} (a share of ${share})`,
    );
  return { frequencies: rotaryFrequencies(turned, theta) };
}

function readRopeFields(config: ConfigReader): { name: string; rope: Fields } {
  const name = config.fields.rope_scaling != null ? "rope_scaling" : "rope_parameters";
  return { name, rope: readFields(config, name, config.fields[name] ?? {}) };
}

interface Base {
  headSize: number;
  contextTokens: number;
  theta: number;
}

function readFrequencies(config: ConfigReader, name: string, rope: Fields, base: Base): RotarySpec {
  const { fields, refuse } = config;
  for (const [where, value] of [
    ["partial_rotary_factor", fields.partial_rotary_factor],
    [`${name}.partial_rotary_factor`, rope.partial_rotary_factor],
  ] as const)
    if (value != null && value !== 1) throw refuse(`${where}: expected 1, got ${showField(value)}`);
  const nested = Object.entries(rope).find(([, value]) => typeof value === "object" && value !== null);
  if (nested) throw refuse(`${name}.${nested[0]}: expected a number or a name, got ${showField(nested[1])}`);
  const frequencies = rotaryFrequencies(base.headSize, base.theta);
  return { frequencies: scaleFrequencies(frequencies, readScaling(config, name, rope, base.contextTokens)) };
}

function readScaling(config: ConfigReader, name: string, rope: Fields, contextTokens: number): RopeScaling | null {
  const { fields, refuse } = config;
  const number = (field: string) => readNumber(config, name, rope, field);
  const kind = rope.rope_type ?? rope.type ?? "default";
  if (kind === "default") return null;
  if (kind === "linear") return { kind, factor: number("factor") };
  if (kind !== "llama3")
    throw refuse(`${name}.rope_type: expected "default", "linear" or "llama3", got ${showField(kind)}`);
  const original = fields.original_max_position_embeddings ?? rope.original_max_position_embeddings ?? contextTokens;
  const scaling: RopeScaling = {
    kind,
    factor: number("factor"),
    lowFrequencyFactor: number("low_freq_factor"),
    highFrequencyFactor: number("high_freq_factor"),
    originalContext: readNumber(
      config,
      name,
      { original_max_position_embeddings: original },
      "original_max_position_embeddings",
    ),
  };
  if (scaling.highFrequencyFactor <= scaling.lowFrequencyFactor)
    throw refuse(
      `${name}.high_freq_factor: expected a number above low_freq_factor (${scaling.lowFrequencyFactor}), got ${scaling.highFrequencyFactor}`,
    );
  return scaling;
}

function readFields({ refuse }: ConfigReader, name: string, value: unknown): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw refuse(`${name}: expected an object, got ${showField(value)}`);
  return value as Fields;
}

function readNumber({ refuse }: ConfigReader, name: string, fields: Fields, field: string): number {
  const value = fields[field];
  if (typeof value !== "number" || !(value > 0) || !Number.isFinite(value))
    throw refuse(`${name}.${field}: expected a number above 0, got ${showField(value)}`);
  return value;
}
