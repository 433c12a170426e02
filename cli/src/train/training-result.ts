import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { encodeJson } from "@fedmkt/shared/contracts/json-document.ts";
import type { TrainSpec } from "@fedmkt/shared/contracts/train-spec.ts";
import type { TrainingOrigin, TrainingRecord } from "@fedmkt/shared/contracts/training-record.ts";
import { bitsPerByte } from "@fedmkt/shared/core/numeric/bits-per-byte.ts";
import { adapterCard } from "@fedmkt/shared/formats/adapter-card.ts";
import { adaptedLayers, adapterConfig } from "@fedmkt/shared/formats/peft-adapter.ts";
import type { Model } from "@fedmkt/shared/ports/engine.ts";
import type { TuningOutcome } from "@fedmkt/shared/use-cases/fine-tune.ts";
import { readWhole } from "../large-file.ts";

/** What a folder that Hugging Face's libraries load has beside its weights and its config.json. */
const COPIED = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json"];
const ADAPTER_WEIGHTS = "adapter_model.safetensors";

export interface TrainingResult {
  /** the base model's folder */
  model: string;
  spec: TrainSpec;
  origin: TrainingOrigin;
  samples: number;
  outcome: TuningOutcome;
}

/** The files of a finished training: a PEFT adapter, or a whole model where every weight was trained; and training.json. */
export async function resultFiles(trained: Model, result: TrainingResult): Promise<Record<string, Uint8Array>> {
  const training = { "training.json": encodeJson(describeTraining(result)) };
  return result.spec.lora === null
    ? { ...modelFolder(result.model, await trained.weights()), ...training }
    : { ...adapterFolder(result, await trained.adapter()), ...training };
}

/** A held-out loss as people compare it. */
export function heldOutLoss({ epoch, step, nats, tokens, bytes }: TrainingRecord["heldOut"][number]) {
  return { epoch, step, natsPerToken: nats / tokens, bitsPerByte: bitsPerByte(nats, bytes) };
}

/** Free of clocks and paths: equal trainings have equal bytes. */
function describeTraining({ spec, origin, samples, outcome }: TrainingResult) {
  const { steps, lossByEpoch, record } = outcome;
  const { settings: _, ...sha256 } = origin;
  return {
    version: 1,
    settings: spec,
    sha256,
    samples,
    steps,
    lossByEpoch,
    curve: record.steps,
    heldOut: record.heldOut.map(heldOutLoss),
  };
}

function adapterFolder({ model, spec, outcome }: TrainingResult, weights: Uint8Array): Record<string, Uint8Array> {
  const targets = adaptedLayers(weights, ADAPTER_WEIGHTS);
  const about = { baseModel: nameOf(model), lora: { ...spec.lora!, targets } };
  const epochs = `${spec.epochs} ${spec.epochs === 1 ? "epoch" : "epochs"}`;
  return {
    [ADAPTER_WEIGHTS]: weights,
    "README.md": adapterCard({
      ...about,
      tags: ["lora", "fedmkt"],
      title: `Adapter of \`${about.baseModel}\``,
      training: `fine-tuned by \`fedmkt train\` for ${epochs}, ${outcome.steps} steps`,
    }),
    "adapter_config.json": adapterConfig(about),
  };
}

function modelFolder(model: string, weights: Uint8Array): Record<string, Uint8Array> {
  const config = JSON.parse(new TextDecoder().decode(readWhole(join(model, "config.json")))) as Record<string, unknown>;
  // the weights are written in f32, whatever they were read from
  for (const key of ["torch_dtype", "dtype"]) if (Object.hasOwn(config, key)) config[key] = "float32";
  const copied = COPIED.filter((name) => existsSync(join(model, name)));
  return {
    "model.safetensors": weights,
    ...Object.fromEntries(copied.map((name) => [name, readWhole(join(model, name))])),
    "config.json": encodeJson(config),
  };
}

/** The model as whoever loads the adapter may find it: the name under which it was saved, else its folder's. */
function nameOf(model: string): string {
  return basename(model);
}
