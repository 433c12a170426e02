import { expect } from "@jest/globals";
import type { Engine, Model, OpenModel, TrainCheckpoint, TrainOptions } from "../../../shared/src/ports/engine.ts";
import { TOY_LORA, toyFolder } from "../../unit/engine/toy-model.ts";

/** One thing that every trainer must do. It rejects where the trainer does not. */
export interface TrainerCheck {
  title: string;
  run(engine: Engine): Promise<void>;
}

/**
 * Distance ‖got − PyTorch's‖ / ‖PyTorch's‖ of losses, logits and trained weights. Two correct trainers in f32 sum in different
 * orders: 1e-7 a sum, and ten AdamW steps carry it to some 1e-5, since the first steps divide by small second moments.
 */
export const TOLERANCE = 1e-4;
/** Nats of one loss that is computed in another batch, or in micro-batches: f32 sums in another order. */
export const SAME_LOSS_NATS = 1e-4;

export const BARE: Omit<OpenModel, "folder"> = { lora: null, adapter: null, seed: 1, threads: 1 };

/** Opens a toy model unless told another, hands it over, and closes it whatever happens. */
export async function withModel<T>(
  engine: Engine,
  options: Partial<OpenModel>,
  use: (model: Model) => Promise<T>,
): Promise<T> {
  const folder = options.folder ?? toyFolder();
  const model = await engine.open({ ...BARE, lora: TOY_LORA, ...options, folder });
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

/** What training ended in. */
export interface Trained {
  adapter: Uint8Array;
  steps: number;
  lossByEpoch: number[];
  /** steps that were told of as they were done */
  told: number[];
}

export function train(
  engine: Engine,
  open: Partial<OpenModel>,
  options: TrainOptions,
  checkpoint?: TrainCheckpoint,
): Promise<Trained> {
  return withModel(engine, open, async (model) => {
    const told: number[] = [];
    const onProgress: TrainOptions["onProgress"] = ({ step }) => told.push(step);
    const result = await model.train({ ...options, onProgress, ...(checkpoint ? { checkpoint } : {}) });
    return { ...result, told, adapter: await model.adapter() };
  });
}

/** @param parts - what the message must say beside the code */
export async function expectRefusal(work: () => Promise<unknown>, code: string, ...parts: string[]): Promise<void> {
  const error: unknown = await work().then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: "InvalidInputError", code });
  for (const part of parts) expect((error as Error).message).toContain(part);
}

export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of stream) all.push(item);
  return all;
}
