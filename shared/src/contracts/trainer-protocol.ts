import { z } from "zod";
import type { KnowledgeMean } from "../core/distillation/step-loss.ts";
import type { LoraSpec, TrainingSpec } from "./run-spec.ts";

/** What the engine and a trainer in a process of its own say to each other: docs/trainers.md. */
export const TRAINER_PROTOCOL = "fedmkt-trainer";
export const TRAINER_PROTOCOL_VERSION = 1;

/** What is asked of a trainer; one request at a time. Samples, adapters and states are attached. */
export type TrainerRequest =
  | {
      request: "open";
      folder: string;
      lora: LoraSpec | null;
      seed: number;
      threads: number;
      trainable: "lora" | "all";
      device: "cpu" | "cuda";
    }
  | {
      request: "train";
      lambda: number;
      temperature: number;
      knowledgeMean: KnowledgeMean;
      epochs: number;
      seed: number;
      training: TrainingSpec;
      /** steps that the attached state has done; null: none is attached */
      resume: number | null;
    }
  | { request: "extract"; topK: number }
  | { request: "score" | "logits" | "adapter" | "weights" | "close" }
  | {
      request: "generate";
      maxTokens: number;
      temperature: number;
      topK: number | null;
      topP: number | null;
      seed: number;
      stop: readonly number[];
    };

/** What an event is answered with. "save" only where a pause was announced. */
export type TrainerReply = "go" | "save" | "stop";

const count = z.int().min(0);

export const trainerGreeting = z.strictObject({
  protocol: z.literal(TRAINER_PROTOCOL),
  version: z.literal(TRAINER_PROTOCOL_VERSION),
  name: z.string().min(1).max(100),
});

/** A trained tensor. Where values are handed over as one vector they lie in the order of this list. */
const trainedTensor = z.strictObject({
  name: z.string().min(1).max(512),
  shape: z.array(z.int().min(1)).max(8),
});
export type TrainedTensor = z.infer<typeof trainedTensor>;

/** What a trainer says: while it works events, each of which waits for its reply; at the end an answer or a failure. */
export const trainerMessage = z.union([
  z.strictObject({ event: z.literal("pause"), step: count }),
  z.strictObject({ event: z.literal("state"), step: count }),
  z.strictObject({
    event: z.literal("progress"),
    step: count,
    steps: count,
    loss: z.number(),
    learningRate: z.number(),
    tokensPerSecond: z.number(),
  }),
  z.strictObject({ event: z.literal("token"), id: count, logProb: z.number() }),
  z.strictObject({
    answer: z.literal("open"),
    vocabularySize: z.int().min(1),
    contextTokens: z.int().min(1),
    parameters: z.int().min(1),
    trained: z.array(trainedTensor).max(100_000),
  }),
  z.strictObject({ answer: z.literal("train"), steps: count, lossByEpoch: z.array(z.number()) }),
  z.strictObject({ answer: z.enum(["extract", "score", "logits", "generate", "adapter", "weights", "close"]) }),
  z.strictObject({
    failure: z.strictObject({
      name: z.enum(["InvalidInputError", "TransientError", "InvariantError"]),
      code: z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/),
      message: z.string().max(4000),
    }),
  }),
]);
export type TrainerMessage = z.infer<typeof trainerMessage>;
export type TrainerEvent = Extract<TrainerMessage, { event: string }>;
export type TrainerAnswer = Extract<TrainerMessage, { answer: string }>;
