import { readSafetensors, type Tensor } from "../../shared/src/formats/safetensors.ts";

/** A PEFT folder's two files, and the model that it is for. */
export interface PeftFolder {
  config: Uint8Array;
  weights: Uint8Array;
}

/** The base model as a loader sees it: config.json's type, and its weights by name. */
export interface BaseModel {
  modelType: string;
  weights: ReadonlyMap<string, Tensor>;
}

type Config = Record<string, unknown>;

/** adapter_config.json of a folder, as both loaders find it. */
const configOf = ({ config }: PeftFolder): Config => JSON.parse(new TextDecoder().decode(config));
const tensorsOf = ({ weights }: PeftFolder) => readSafetensors(weights, "adapter_model.safetensors").tensors;

/** vLLM's models with `SupportsLoRA` among the engine's (vllm/model_executor/models); GPT-2, BLOOM and GPT-NeoX have only `SupportsPP`. */
export const VLLM_LORA_MODELS = ["llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "opt"];

/**
 * Why vLLM would refuse an adapter, by its own rules: vllm/lora/peft_helper.py (`PEFTHelper.from_dict`, `_validate_features`,
 * `validate_legal`), vllm/lora/lora_model.py (`from_local_checkpoint`), vllm/lora/utils.py (`parse_fine_tuned_lora_name`,
 * `get_supported_lora_modules`: all linear layers), as published until September 2026.
 *
 * @param maxRank - the server's `--max-lora-rank`
 * @returns none where it would be served as it is
 */
export function vllmRefuses(folder: PeftFolder, base: BaseModel, maxRank: number): string[] {
  const config = configOf(folder);
  const refused: string[] = [];
  if (!VLLM_LORA_MODELS.includes(base.modelType)) refused.push(`${base.modelType} does not support LoRA`);
  for (const needed of ["r", "lora_alpha", "target_modules"])
    if (config[needed] === undefined || config[needed] === null) refused.push(`${needed} is missing`);
  const patterns = Object.values((config.rank_pattern ?? {}) as Record<string, number>);
  const rank = Math.max(Number(config.r), ...patterns);
  if (!(Number(config.r) > 0)) refused.push("r must be positive");
  if (rank > maxRank) refused.push(`rank ${rank} is greater than ${maxRank}`);
  if ((config.bias ?? "none") !== "none") refused.push("adapter bias");
  if (((config.modules_to_save ?? []) as string[]).some((name) => name !== "classifier" && name !== "score"))
    refused.push("modules_to_save");
  for (const feature of ["use_dora", "lora_bias", "use_qalora", "use_bdlora", "layer_replication"])
    if (config[feature]) refused.push(feature);
  if (((config.alora_invocation_tokens ?? []) as unknown[]).length > 0) refused.push("alora_invocation_tokens");
  const init = config.init_lora_weights ?? true;
  if (typeof init === "string" && !["gaussian", "eva", "orthogonal", "mica", "lora_ga"].includes(init.toLowerCase()))
    refused.push("init_lora_weights");

  const halves = new Map<string, Set<string>>();
  for (const [name, tensor] of tensorsOf(folder)) {
    const parts = name.split(".");
    const side = parts.at(-2);
    if (parts.at(-1) !== "weight" || (side !== "lora_A" && side !== "lora_B")) {
      refused.push(`${name} is unsupported LoRA weight`);
      continue;
    }
    const module = parts.slice(name.includes("base_model.model.") ? 2 : 0, -2).join(".");
    halves.set(module, (halves.get(module) ?? new Set()).add(side));
    refused.push(...misfits(module, side, tensor, Number(config.r), base));
  }
  if (halves.size === 0) refused.push("doesn't contain tensors");
  for (const [module, sides] of halves) if (sides.size < 2) refused.push(`${module} lacks a half`);
  return refused;
}

/** LoRAX's layers of one transformer block, by model type: `adapter_target_to_layer` of server/lorax_server/models/flash_*.py. */
const LORAX_LLAMA = [
  ...["q_proj", "k_proj", "v_proj", "o_proj"].map((name) => `self_attn.${name}`),
  ...["gate_proj", "up_proj", "down_proj"].map((name) => `mlp.${name}`),
];
const LORAX_BLOCKS: Record<string, { prefix: string; layers: string[] }> = {
  llama: { prefix: "model.layers", layers: LORAX_LLAMA },
  mistral: { prefix: "model.layers", layers: LORAX_LLAMA },
  qwen2: { prefix: "model.layers", layers: LORAX_LLAMA },
  gemma2: { prefix: "model.layers", layers: LORAX_LLAMA },
  gpt2: { prefix: "transformer.h", layers: ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"] },
};
/** The engine's architectures whose adapters LoRAX loads. */
export const LORAX_MODELS = Object.keys(LORAX_BLOCKS);

/**
 * Why LoRAX would refuse an adapter, or serve less than all of it without a word: server/lorax_server/adapters/lora.py
 * (`map_weights_for_model`, `LoraWeights.load`: one missing block drops the layer in all of them) and PEFT's `LoraConfig`, which it reads
 * the configuration by.
 */
export function loraxRefuses(folder: PeftFolder, base: BaseModel): string[] {
  const config = configOf(folder);
  const known = LORAX_BLOCKS[base.modelType];
  if (known === undefined) return [`${base.modelType} does not support adapter loading`];
  const refused: string[] = [];
  if (config.peft_type !== "LORA") refused.push("peft_type");
  for (const needed of ["base_model_name_or_path", "r", "target_modules", "lora_alpha", "fan_in_fan_out"])
    if (config[needed] === undefined || config[needed] === null) refused.push(`${needed} is missing`);
  // read by nothing of LoRAX: served, and wrong
  for (const ignored of ["use_dora", "modules_to_save", "layer_replication"])
    if (config[ignored]) refused.push(`${ignored} is passed over`);
  for (const ignored of ["rank_pattern", "alpha_pattern"])
    if (Object.keys((config[ignored] ?? {}) as object).length > 0) refused.push(`${ignored} is passed over`);

  const tensors = tensorsOf(folder);
  const mapped = new Set<string>();
  for (const layer of known.layers) {
    const names = blocksOf(base, known.prefix).map((block) => `${known.prefix}.${block}.${layer}`);
    const there = names.filter(
      (name) => tensors.has(weightName(name, "lora_A")) && tensors.has(weightName(name, "lora_B")),
    );
    if (there.length > 0 && there.length < names.length) refused.push(`${layer} is not in every block: dropped`);
    for (const name of there)
      for (const side of ["lora_A", "lora_B"]) {
        mapped.add(weightName(name, side));
        refused.push(...misfits(name, side, tensors.get(weightName(name, side))!, Number(config.r), base));
      }
  }
  for (const name of tensors.keys()) if (!mapped.has(name)) refused.push(`${name} is passed over`);
  if (mapped.size === 0) refused.push("no weights");
  return refused;
}

const weightName = (layer: string, side: string) => `base_model.model.${layer}.${side}.weight`;

/** The model's blocks, by number. */
function blocksOf({ weights }: BaseModel, prefix: string): number[] {
  const blocks = [...weights.keys()].flatMap((name) => {
    const at = `.${name}`.indexOf(`.${prefix}.`);
    const number = at < 0 ? Number.NaN : Number(`.${name}`.slice(at + prefix.length + 2).split(".")[0]);
    return Number.isInteger(number) ? [number] : [];
  });
  return [...new Set(blocks)].sort((left, right) => left - right);
}

/** Both load A as [rank, in] and B as [out, rank] of the layer's own weight; GPT-2's lies [in, out]. */
function misfits(layer: string, side: string, { shape, dtype }: Tensor, rank: number, base: BaseModel): string[] {
  const weight = base.weights.get(`${layer}.weight`);
  if (weight === undefined) return [`${layer} is no layer of the model`];
  const [out, into] = base.modelType === "gpt2" ? [weight.shape[1], weight.shape[0]] : weight.shape;
  const wanted = side === "lora_A" ? [rank, into] : [out, rank];
  const fits = shape.length === 2 && shape[0] === wanted[0] && shape[1] === wanted[1];
  return [
    ...(fits ? [] : [`${layer}.${side}: [${shape}], not [${wanted}]`]),
    // torch reads all of them, and both cast to the model's own
    ...(["F32", "F16", "BF16"].includes(dtype) ? [] : [`${layer}.${side}: ${dtype}`]),
  ];
}
