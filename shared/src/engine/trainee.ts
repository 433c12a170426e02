import type { TrainingSpec } from "../contracts/run-spec.ts";
import type { OpenModel, TrainOptions } from "../ports/engine.ts";
import type { Packer } from "./batch.ts";
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
  readonly pack: Packer;
  /** @param largest - the micro-batch that needs most memory */
  session(
    options: LossOptions,
    largest: { batch: number; tokens: number },
    checkpointing: TrainingSpec["activationCheckpointing"],
  ): Promise<GraphSession>;
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
