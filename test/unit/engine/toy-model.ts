import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "@jest/globals";
import { initializeModel } from "../../../shared/src/engine/architectures/initialize-model.ts";
import type { EncodedSample, Model, OpenModel, TrainOptions } from "../../../shared/src/ports/engine.ts";
import { engine } from "../../support/shared-engine.ts";

export const TOY_CONFIG = {
  model_type: "llama",
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 29,
  max_position_embeddings: 16,
  rms_norm_eps: 1e-5,
  initializer_range: 0.3,
  tie_word_embeddings: true,
};

export const TOY_LORA: NonNullable<OpenModel["lora"]> = {
  rank: 2,
  alpha: 4,
  dropout: 0,
  targets: ["q_proj", "v_proj"],
};

export const TOY_TRAINING: TrainOptions["training"] = {
  learningRate: 0.01,
  privateEpochs: 1,
  publicEpochs: 1,
  batchSize: 2,
  schedule: "constant",
  warmupRatio: 0,
  betas: [0.9, 0.95],
  epsilon: 1e-8,
  weightDecay: 0.1,
  clipNorm: 1,
  activationCheckpointing: "off",
  threads: 1,
};

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** @returns a new folder, removed after the tests, with a model drawn from seed 1, or its config.json alone */
export function toyFolder(changes: Record<string, unknown> = {}, weights = true): string {
  const folder = mkdtempSync(join(tmpdir(), "toy-model-"));
  folders.push(folder);
  const config = JSON.stringify({ ...TOY_CONFIG, ...changes });
  writeFileSync(join(folder, "config.json"), config);
  if (weights) writeFileSync(join(folder, "model.safetensors"), initializeModel(config, 1));
  return folder;
}

/** Opens a model, hands it over, and closes it whatever happens. */
export async function withModel<T>(options: Partial<OpenModel>, use: (model: Model) => Promise<T>): Promise<T> {
  const model = await engine.open({
    folder: options.folder ?? toyFolder(),
    lora: TOY_LORA,
    adapter: null,
    seed: 1,
    threads: 1,
    ...options,
  });
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

/** Samples of the given lengths, every token after the first an answer. */
export function toySamples(...lengths: number[]): EncodedSample[] {
  return lengths.map((length, sample) => ({
    ids: Int32Array.from({ length }, (_, token) =>
      token === 0 ? 1 : (sample * 7 + token * 5) % TOY_CONFIG.vocab_size,
    ),
    answer: Uint8Array.from({ length }, (_, token) => (token === 0 ? 0 : 1)),
    answerBytes: length,
  }));
}

export function toyOptions(changes: Partial<TrainOptions> = {}): TrainOptions {
  return {
    samples: toySamples(5, 8, 6, 7, 4),
    lambda: 1,
    temperature: 1,
    epochs: 2,
    training: TOY_TRAINING,
    seed: 3,
    ...changes,
  };
}
