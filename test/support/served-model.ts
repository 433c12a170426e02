import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createRandom } from "../../shared/src/core/numeric/random.ts";
import { adapterConfig } from "../../shared/src/formats/peft-adapter.ts";
import { writeSafetensors } from "../../shared/src/formats/safetensors.ts";
import { CHAT_ROLES, chatTokenizerConfig, chatTokenizerJson } from "./chat-model.ts";
import { writeTinyModel } from "./tiny-federation.ts";

/** The hidden size of tiny models. */
const HIDDEN = 16;

/** A random model with a chat template, in a folder of its own; `changes` of its config.json. */
export function writeServedModel(folder: string, changes: object = {}): string {
  writeTinyModel(folder, chatTokenizerJson, 1);
  const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
  writeFileSync(join(folder, "config.json"), JSON.stringify({ ...config, ...CHAT_ROLES, ...changes }));
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify(chatTokenizerConfig));
  return folder;
}

/** An adapter of it, as PEFT writes one, with weights large enough to change what it says. */
export function writeServedAdapter(folder: string, seed: number, { hidden = HIDDEN, rank = 2 } = {}): string {
  const random = createRandom(seed);
  const matrix = (shape: [number, number]) => ({
    ...{ dtype: "F32" as const, shape },
    data: Float32Array.from({ length: shape[0] * shape[1] }, () => random.normal()),
  });
  const layer = "base_model.model.model.layers.0.self_attn";
  const targets = ["q_proj", "o_proj"];
  mkdirSync(folder, { recursive: true });
  const lora = { rank, alpha: 8, dropout: 0, targets };
  writeFileSync(join(folder, "adapter_config.json"), adapterConfig({ baseModel: "model", lora }));
  writeFileSync(
    join(folder, "adapter_model.safetensors"),
    writeSafetensors(
      Object.fromEntries(
        targets.flatMap((target) => [
          [`${layer}.${target}.lora_A.weight`, matrix([rank, hidden])],
          [`${layer}.${target}.lora_B.weight`, matrix([hidden, rank])],
        ]),
      ),
    ),
  );
  return folder;
}
