import { z } from "zod";

/** Longest training whose every step is kept in memory and written down. */
const MAX_RECORDED_STEPS = 10_000_000;

/** What fine-tuning came to, step by step. */
export const trainingRecord = z.strictObject({
  steps: z
    .array(z.strictObject({ step: z.int().min(1), lossNats: z.number(), learningRate: z.number().min(0) }))
    .max(MAX_RECORDED_STEPS),
  /** losses on held-out samples: before the first step, and after each epoch; the last epoch's is the end's */
  heldOut: z.array(
    z.strictObject({
      epoch: z.int().min(0),
      step: z.int().min(0),
      nats: z.number(),
      tokens: z.int().min(0),
      bytes: z.int().min(1),
    }),
  ),
});
export type TrainingRecord = z.infer<typeof trainingRecord>;

/** What a checkpoint was made with: settings, and SHA-256 of files. What differs is what makes a checkpoint foreign. */
export const trainingOrigin = z.record(z.string().max(100), z.unknown());
export type TrainingOrigin = z.infer<typeof trainingOrigin>;

/** Beside the engine's state, in a checkpoint's folder. */
export const trainingProgress = z.strictObject({
  version: z.literal(1),
  origin: trainingOrigin,
  record: trainingRecord,
});
export type TrainingProgress = z.infer<typeof trainingProgress>;
