import type { EncodedSample, OpenModel, TrainOptions } from "../ports/engine.ts";
import type { Batch } from "./batch.ts";
import type { LoraDropout } from "./lora-dropout.ts";
import type { LossOptions } from "./loss.ts";
import type { BankEntry } from "./parameter-bank.ts";
import type { GraphSession } from "./session.ts";

/** What the loop needs of a model. */
export interface Trainee {
  readonly vocabularySize: number;
  /** changed in place */
  readonly values: Float32Array;
  /** what the values are */
  readonly entries: readonly BankEntry[];
  /** null where all weights are trained */
  readonly lora: OpenModel["lora"];
  /** null where adapters see all of their inputs */
  readonly dropout: LoraDropout | null;
  pack(samples: readonly EncodedSample[], chunks: number): Batch;
  session(options: LossOptions): Promise<GraphSession>;
  /** Throws where training is to stop; asked before each micro-batch. */
  checkGoingOn(): void;
}

/** The loop's side of a {@link TrainCheckpoint}: the questions travel to another thread. */
export interface TrainingRecord {
  resume: Uint8Array | null;
  note: string;
  isDue(step: number): Promise<boolean>;
  save(state: Uint8Array): Promise<void>;
}

/** What is trained with what: all but whom to tell. */
export type TrainInput = Omit<TrainOptions, "onProgress" | "checkpoint">;
