import { adapterCard } from "./adapter-card.ts";
import { findJsonKeyProblem } from "./json-keys.ts";
import { type Refuse, refuseWith } from "./named-tensors.ts";
import { quote } from "./quote.ts";
import { readSafetensors, type Tensor } from "./safetensors.ts";

/** GPT-2's layers: their weights lie [in, out] (transformers' Conv1D), which PEFT notes as fan_in_fan_out. */
const CONV_1D_LAYERS = ["c_attn", "c_fc", "c_proj"];
/** Last names that several layers of a block share. */
const SHARED_NAMES: ReadonlyMap<string, readonly string[]> = new Map([["c_proj", ["attn.c_proj", "mlp.c_proj"]]]);
/** Longest adapter_config.json; PEFT's own is 1 KB. */
export const MAX_ADAPTER_CONFIG_BYTES = 1024 * 1024;
/** Depth and values of an adapter_config.json: an object, with lists and objects of settings in it. */
const MAX_CONFIG_DEPTH = 8;
const MAX_CONFIG_VALUES = 100_000;
const MAX_RANK = 65_536;
const MAX_NAME_PARTS = 16;
/** The end of a layer's name, or all of it, as PEFT writes it for `all-linear`. */
const LAYER_NAME = new RegExp(`^\\w{1,64}(\\.\\w{1,64}){0,${MAX_NAME_PARTS - 1}}$`);
const WEIGHT_NAME = /^base_model\.model\.(?<layer>[^\s]+)\.lora_(?<side>[AB])\.weight$/;

/** An adapter as its folder tells of it. */
export interface AdapterAbout {
  /** what `from_pretrained` of whoever loads the adapter should find: a hub id, or a folder's name */
  baseModel: string;
  /** targets: last names of the adapted layers */
  lora: { rank: number; alpha: number; dropout: number; targets: readonly string[] };
  run: string;
  party: string;
  rounds: number;
}

/**
 * adapter_config.json. The keys are those that PEFT has written since 0.12: later ones have defaults that say the same, so
 * that old and new PEFT, and vLLM, load the folder without a warning.
 */
export function adapterConfig({ baseModel, lora }: Pick<AdapterAbout, "baseModel" | "lora">): Uint8Array {
  const config = {
    alpha_pattern: {},
    auto_mapping: null,
    base_model_name_or_path: baseModel,
    bias: "none",
    fan_in_fan_out: lora.targets.some((target) => CONV_1D_LAYERS.includes(lastName(target))),
    inference_mode: true,
    init_lora_weights: true,
    layer_replication: null,
    layers_pattern: null,
    layers_to_transform: null,
    loftq_config: {},
    lora_alpha: lora.alpha,
    lora_dropout: lora.dropout,
    megatron_config: null,
    megatron_core: "megatron.core",
    modules_to_save: null,
    peft_type: "LORA",
    r: lora.rank,
    rank_pattern: {},
    revision: null,
    target_modules: [...lora.targets].sort(),
    task_type: "CAUSAL_LM",
    use_dora: false,
    use_rslora: false,
  };
  return new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`);
}

/** README.md of a run's adapter. */
export function adapterReadme({ baseModel, lora, run, party, rounds }: AdapterAbout): Uint8Array {
  const whose = party === "server" ? "the server" : `client \`${party}\``;
  return adapterCard({
    baseModel,
    tags: ["lora", "federated-learning", "fedmkt"],
    title: `Adapter of ${whose} from run \`${run}\``,
    lora,
    training: `trained by federated mutual knowledge transfer
(FedMKT, Fan et al., COLING 2025) for ${rounds} ${rounds === 1 ? "round" : "rounds"}`,
  });
}

/**
 * @param weights - adapter_model.safetensors
 * @param what - the file as errors name it
 * @returns ends of the names of the layers that it adapts, such as q_proj, sorted: what PEFT takes for these layers and no others
 */
export function adaptedLayers(weights: Uint8Array, what: string): string[] {
  const layers = [...readSafetensors(weights, what).tensors.keys()].flatMap(
    (name) => WEIGHT_NAME.exec(name)?.groups?.layer ?? [],
  );
  const ends = new Set(layers.map((layer) => layer.split(".").slice(-2).join(".")));
  const isWhole = (name: string) => SHARED_NAMES.get(name)?.every((end) => ends.has(end)) ?? true;
  return [...new Set([...ends].map((end) => (isWhole(lastName(end)) ? lastName(end) : end)))].sort();
}

/** An adapter folder, read and checked. */
export interface PeftAdapter {
  baseModel: string;
  rank: number;
  alpha: number;
  /** ends of the adapted layers' names, such as q_proj, or whole names; sorted */
  targets: string[];
  /** by layer, such as `model.layers.0.self_attn.q_proj`: down is A [rank, in], up is B [out, rank] */
  layers: Map<string, { down: Tensor; up: Tensor }>;
}

/**
 * Reads an adapter's two files as this project and PEFT write them for plain LoRA.
 *
 * @param configJson - adapter_config.json
 * @param weights - adapter_model.safetensors
 * @param what - the folder as errors name it
 * @throws InvalidInputError `ADAPTER_INVALID` where a variant of LoRA is asked for that is not plain (DoRA, patterns, biases), a
 *   matrix lacks its other half, shapes do not fit the rank, or a weight is not finite; `SAFETENSORS_…`
 */
export function parsePeftAdapter(configJson: Uint8Array, weights: Uint8Array, what: string): PeftAdapter {
  const { targets, ...config } = parseConfig(configJson, refuseWith("ADAPTER_INVALID", `${what}/adapter_config.json`));
  const place = `${what}/adapter_model.safetensors`;
  const refuse = refuseWith("ADAPTER_INVALID", place);
  const halves = new Map<string, { A?: Tensor; B?: Tensor }>();
  const unused = new Set(targets);
  for (const [name, tensor] of readSafetensors(weights, place).tensors) {
    const { layer, side } = WEIGHT_NAME.exec(name)?.groups ?? {};
    const ends = layer === undefined ? [] : endsOf(layer);
    if (layer === undefined || (targets !== null && !ends.some((end) => targets.has(end))))
      throw refuse(
        `tensor ${quote(name)}: expected base_model.model.<layer>.lora_A.weight or lora_B of ${targets === null ? "a linear layer" : quote([...targets])}`,
      );
    for (const end of ends) unused.delete(end);
    checkWeights(name, tensor, side as "A" | "B", config.rank, refuse);
    halves.set(layer, { ...halves.get(layer), [side]: tensor });
  }
  const layers: PeftAdapter["layers"] = new Map();
  for (const [layer, { A: down, B: up }] of halves) {
    if (!down || !up)
      throw refuse(`layer ${quote(layer)}: expected lora_A and lora_B, got only ${down ? "lora_A" : "lora_B"}`);
    layers.set(layer, { down, up });
  }
  for (const target of unused)
    throw refuse(`expected weights for ${quote(target)}, which adapter_config.json targets, got none`);
  if (layers.size === 0) throw refuse("expected weights, got none");
  return { ...config, targets: [...(targets ?? new Set([...layers.keys()].map(lastName)))].sort(), layers };
}

/** What may name a layer among target_modules: ends of its name, from the last part to as many as a target has, and all of it. */
function endsOf(layer: string): string[] {
  const ends: string[] = [];
  for (let at = layer.length; at > 0 && ends.length < MAX_NAME_PARTS; ) {
    at = layer.lastIndexOf(".", at - 1);
    ends.push(layer.slice(at + 1));
  }
  return ends;
}

/** Whether PEFT adapts a layer by a name among target_modules: the end of the layer's name, or all of it. */
export function isTarget(layer: string, target: string): boolean {
  return layer === target || layer.endsWith(`.${target}`);
}

function lastName(layer: string): string {
  return layer.split(".").at(-1)!;
}

/** targets: null where the config says `all-linear`, so that only the weights tell */
function parseConfig(
  bytes: Uint8Array,
  refuse: Refuse,
): Omit<PeftAdapter, "layers" | "targets"> & { targets: ReadonlySet<string> | null } {
  const config = parseObject(bytes, refuse);
  const expect = (key: string, ...allowed: unknown[]) => {
    const value = Object.hasOwn(config, key) ? config[key] : undefined;
    if (!allowed.some((one) => JSON.stringify(one) === JSON.stringify(value)))
      throw refuse(`${key}: expected ${quote(allowed[0])}, got ${quote(value)}`);
  };
  expect("peft_type", "LORA");
  expect("task_type", "CAUSAL_LM");
  expect("bias", "none", undefined);
  // PEFT sets it by the layers that it finds, and warns where a file says otherwise
  expect("fan_in_fan_out", false, true, undefined);
  for (const key of ["use_dora", "use_rslora", "use_qalora", "lora_bias"]) expect(key, false, undefined);
  for (const key of ["rank_pattern", "alpha_pattern"]) expect(key, {}, null, undefined);
  for (const key of [
    "modules_to_save",
    "layers_to_transform",
    "layer_replication",
    "target_parameters",
    "trainable_token_indices",
  ])
    expect(key, null, undefined);
  const { base_model_name_or_path: baseModel, r: rank, lora_alpha: alpha, target_modules: targets } = config;
  if (typeof baseModel !== "string") throw refuse(`base_model_name_or_path: expected a name, got ${quote(baseModel)}`);
  if (!Number.isInteger(rank) || (rank as number) < 1 || (rank as number) > MAX_RANK)
    throw refuse(`r: expected a whole number from 1 to ${MAX_RANK}, got ${quote(rank)}`);
  if (typeof alpha !== "number" || !(alpha > 0) || !Number.isFinite(alpha))
    throw refuse(`lora_alpha: expected a number above 0, got ${quote(alpha)}`);
  const about = { baseModel, rank: rank as number, alpha };
  if (targets === "all-linear") return { ...about, targets: null };
  if (!Array.isArray(targets) || targets.length === 0 || !targets.every(isLayerName))
    throw refuse(`target_modules: expected names of layers, got ${quote(targets)}`);
  return { ...about, targets: new Set(targets) };
}

function isLayerName(value: unknown): value is string {
  return typeof value === "string" && LAYER_NAME.test(value);
}

function parseObject(bytes: Uint8Array, refuse: Refuse): Record<string, unknown> {
  if (bytes.length > MAX_ADAPTER_CONFIG_BYTES)
    throw refuse(`expected at most ${MAX_ADAPTER_CONFIG_BYTES} bytes, got ${bytes.length}`);
  let value: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const problem = findJsonKeyProblem(text, MAX_CONFIG_DEPTH, quote, MAX_CONFIG_VALUES);
    if (problem !== null) throw new Error(problem);
    value = JSON.parse(text);
  } catch (error) {
    throw refuse(`expected JSON: ${(error as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw refuse(`expected an object, got ${quote(value)}`);
  return value as Record<string, unknown>;
}

function checkWeights(name: string, tensor: Tensor, side: "A" | "B", rank: number, refuse: Refuse): void {
  const { dtype, shape, data } = tensor;
  if (dtype !== "F32" && dtype !== "F16" && dtype !== "BF16")
    throw refuse(`tensor ${quote(name)}: expected F32, F16 or BF16, got ${dtype}`);
  if (shape.length !== 2 || shape[side === "A" ? 0 : 1] !== rank)
    throw refuse(
      `tensor ${quote(name)}: expected shape ${side === "A" ? `[${rank}, in]` : `[out, ${rank}]`}, got ${quote(shape)}`,
    );
  const exponent = dtype === "F16" ? 0x7c00 : 0x7f80;
  const bad =
    dtype === "F32"
      ? data.findIndex((value) => !Number.isFinite(value))
      : data.findIndex((bits) => (bits & exponent) === exponent);
  if (bad >= 0)
    throw refuse(
      `tensor ${quote(name)}: expected finite weights, got ${dtype === "F32" ? data[bad] : "another"} at ${bad}`,
    );
}
