import { createHash } from "node:crypto";
import type { Lessons } from "../core/check-model-input.ts";

/** Training as `TrainOptions` of ports/engine.ts has it, but for whom to tell. */
interface Training extends Lessons {
  lambda: number;
  temperature: number;
  knowledgeMean?: string;
  epochs: number;
  training: object;
  seed: number;
}

/** What is trained. Ranks and targets of LoRA show in its tensors. */
interface Trained {
  entries: readonly { name: string; shape: readonly number[] }[];
  lora: { alpha: number; dropout: number } | null;
}

/**
 * SHA-256 of what determines training besides the values that it begins with: settings, samples, knowledge, order and the shapes
 * of what is trained. A state that was saved under another hash says nothing about this training.
 */
export function identifyTraining(options: Training, { entries, lora }: Trained): string {
  const {
    samples,
    targets,
    partitions = [],
    lambda,
    temperature,
    knowledgeMean = "taught",
    epochs,
    training,
    seed,
  } = options;
  const hash = createHash("sha256");
  const arrays: (Int32Array | Uint8Array | Float32Array)[] = [
    ...samples.flatMap(({ ids, answer }) => [ids, answer]),
    ...(targets ?? []).flatMap((target) =>
      target === null ? [] : [target.positions, target.offsets, target.entries, target.probabilities, target.tail],
    ),
    ...partitions,
  ];
  // lengths first: else bytes could move from one array to the next unnoticed
  const outline = {
    settings: Object.entries(training)
      .filter(([name]) => name !== "activationCheckpointing") // it changes no result
      .sort(([a], [b]) => (a < b ? -1 : 1)),
    lora: lora && { alpha: lora.alpha, dropout: lora.dropout },
    lambda,
    temperature,
    knowledgeMean,
    epochs,
    seed,
    samples: samples.length,
    targets: targets?.map((target) => target?.partition ?? null) ?? null,
    trained: entries.map(({ name, shape }) => [name, shape]),
    lengths: arrays.map(({ length }) => length),
  };
  hash.update(JSON.stringify(outline));
  for (const { buffer, byteOffset, byteLength } of arrays) hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest("hex");
}
