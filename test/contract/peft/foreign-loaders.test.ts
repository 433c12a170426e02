import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { VLLM_WITHOUT_LORA } from "../../../shared/src/contracts/inference-settings.ts";
import { adaptedLayers, adapterConfig } from "../../../shared/src/formats/peft-adapter.ts";
import { readSafetensors, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import type { OpenModel } from "../../../shared/src/ports/engine.ts";
import {
  type BaseModel,
  LORAX_MODELS,
  loraxRefuses,
  type PeftFolder,
  VLLM_LORA_MODELS,
  vllmRefuses,
} from "../../support/peft-loaders.ts";
import { engine } from "../../support/shared-engine.ts";

/** One small model of every architecture, as transformers wrote it. */
const MODELS = resolve(import.meta.dirname, "../../golden/fixtures/architectures");
const MAX_RANK = 64;

type Lora = NonNullable<OpenModel["lora"]>;
const lora = (targets: Lora["targets"]): Lora => ({ rank: 4, alpha: 8, dropout: 0, targets });

function baseModel(name: string): BaseModel {
  const folder = resolve(MODELS, name);
  const { model_type: modelType } = JSON.parse(readFileSync(resolve(folder, "config.json"), "utf8"));
  const bytes = new Uint8Array(readFileSync(resolve(folder, "model.safetensors")));
  return { modelType, weights: readSafetensors(bytes, name).tensors };
}

/** A folder as publish-run writes it: the engine's weights, and the configuration that follows from them. */
const made = new Map<string, PeftFolder>();
async function publish(name: string, targets: Lora["targets"]): Promise<PeftFolder> {
  const key = JSON.stringify([name, targets]);
  if (!made.has(key)) {
    const settings = lora(targets);
    const model = await engine.open({
      folder: resolve(MODELS, name),
      ...{ lora: settings, adapter: null, seed: 1, threads: 1, trainable: "lora" },
    });
    try {
      const weights = await model.adapter();
      const about = { baseModel: name, lora: { ...settings, targets: adaptedLayers(weights, name) } };
      made.set(key, { config: adapterConfig(about), weights });
    } finally {
      await model.close();
    }
  }
  return made.get(key)!;
}

const architectures = readdirSync(MODELS)
  .filter((name) => readdirSync(resolve(MODELS, name)).includes("model.safetensors"))
  .map((name) => [name, baseModel(name)] as const);
const ofVllm = architectures.filter(([, { modelType }]) => VLLM_LORA_MODELS.includes(modelType));
const ofLorax = architectures.filter(([, { modelType }]) => LORAX_MODELS.includes(modelType));
const others = architectures.filter(([, { modelType }]) => !VLLM_LORA_MODELS.includes(modelType));
const TARGETS: Lora["targets"][] = ["peft-default", "default", "all-linear"];

describe("a published adapter", () => {
  it.each(ofVllm)("of %s is loaded by vLLM, whichever layers it adapts", async (name, base) => {
    for (const targets of TARGETS)
      expect([targets, vllmRefuses(await publish(name, targets), base, MAX_RANK)]).toEqual([targets, []]);
  });

  it.each(ofLorax)("of %s is loaded by LoRAX whole, whichever layers it adapts", async (name, base) => {
    for (const targets of TARGETS)
      expect([targets, loraxRefuses(await publish(name, targets), base)]).toEqual([targets, []]);
  });

  it("is loaded by one of the two of these architectures, and by neither of the others", () => {
    const types = new Set(architectures.map(([, { modelType }]) => modelType));
    expect([...types].filter((type) => VLLM_LORA_MODELS.includes(type)).sort()).toEqual([...VLLM_LORA_MODELS].sort());
    expect([...types].filter((type) => LORAX_MODELS.includes(type)).sort()).toEqual([...LORAX_MODELS].sort());
    const neither = [...types].filter((type) => ![...VLLM_LORA_MODELS, ...LORAX_MODELS].includes(type));
    expect(neither.sort()).toEqual(["bloom", "gpt_neox"]);
    // which fedmkt deploy sends to the engine
    expect([...types].filter((type) => !VLLM_LORA_MODELS.includes(type)).sort()).toEqual([...VLLM_WITHOUT_LORA].sort());
  });

  it.each(others)("of %s is for the engine alone where vLLM has no LoRA for it", async (name, base) => {
    expect(vllmRefuses(await publish(name, "peft-default"), base, MAX_RANK)).toEqual([
      `${base.modelType} does not support LoRA`,
    ]);
  });
});

describe("the loaders' rules", () => {
  const base = baseModel("llama");
  const change = ({ config, weights }: PeftFolder, to: Record<string, unknown>): PeftFolder => ({
    config: new TextEncoder().encode(JSON.stringify({ ...JSON.parse(new TextDecoder().decode(config)), ...to })),
    weights,
  });
  const rename = ({ config, weights }: PeftFolder, name: (tensor: string) => string | null): PeftFolder => {
    const tensors = [...readSafetensors(weights, "adapter").tensors].flatMap(([tensor, value]) => {
      const renamed = name(tensor);
      return renamed === null ? [] : [[renamed, value] as const];
    });
    return { config, weights: writeSafetensors(Object.fromEntries(tensors), { format: "pt" }) };
  };

  it.each<[string, (folder: PeftFolder) => PeftFolder]>([
    ["rank 128 is greater than 64", (folder) => change(folder, { r: 128 })],
    ["r is missing", (folder) => change(folder, { r: null })],
    ["use_dora", (folder) => change(folder, { use_dora: true })],
    ["modules_to_save", (folder) => change(folder, { modules_to_save: ["lm_head"] })],
    ["adapter bias", (folder) => change(folder, { bias: "all" })],
    ["init_lora_weights", (folder) => change(folder, { init_lora_weights: "pissa" })],
    ["is unsupported LoRA weight", (folder) => rename(folder, (name) => name.replace(".weight", ".default.weight"))],
    ["lacks a half", (folder) => rename(folder, (name) => (name.includes("lora_B") ? null : name))],
    ["is no layer of the model", (folder) => rename(folder, (name) => name.replace("q_proj", "query"))],
    ["doesn't contain tensors", (folder) => rename(folder, () => null)],
    [
      "not [4,",
      (folder) =>
        rename(folder, (name) => name.replace(/lora_[AB]/, (side) => (side === "lora_A" ? "lora_B" : "lora_A"))),
    ],
  ])("of vLLM refuse: %s", async (reason, spoil) => {
    const refused = vllmRefuses(spoil(await publish("llama", "default")), base, MAX_RANK);
    expect(refused.join("; ")).toContain(reason);
  });

  it.each<[string, (folder: PeftFolder) => PeftFolder]>([
    ["peft_type", (folder) => change(folder, { peft_type: "IA3" })],
    ["fan_in_fan_out is missing", (folder) => change(folder, { fan_in_fan_out: undefined })],
    ["alpha_pattern is passed over", (folder) => change(folder, { alpha_pattern: { q_proj: 2 } })],
    [
      "is not in every block: dropped",
      (folder) => rename(folder, (name) => (name.includes("layers.0.self_attn.q_proj") ? null : name)),
    ],
    ["is passed over", (folder) => rename(folder, (name) => name.replace("base_model.model.", "base_model."))],
    ["no weights", (folder) => rename(folder, (name) => name.replace("base_model.model.", ""))],
  ])("of LoRAX refuse, or would serve wrongly: %s", async (reason, spoil) => {
    const refused = loraxRefuses(spoil(await publish("llama", "default")), base);
    expect(refused.join("; ")).toContain(reason);
  });

  afterAll(() => made.clear());
});
