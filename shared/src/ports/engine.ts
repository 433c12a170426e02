import type { LoraSpec, TrainingSpec } from "../contracts/run-spec.ts";
import type { KnowledgeMean } from "../core/distillation/step-loss.ts";

/** What models are computed on: this machine's processor, or its Nvidia GPU. */
export type Device = "cpu" | "cuda";

/**
 * The engine behind a port: trains, extracts and scores one model on this machine. Sessions live in a worker thread, so that
 * heartbeats go on. Dimension letters: S samples, T tokens of a sample, V vocabulary size, K kept entries.
 */
export interface Engine {
  open(options: OpenModel): Promise<Model>;
  /** Closes every model that is open. To be awaited before the process is ended while a model may be at work. */
  close(): Promise<void>;
}

export interface OpenModel {
  /** a Hugging Face folder on this machine */
  folder: string;
  lora: LoraSpec | null;
  /** adapter_model.safetensors to start from; fresh (PEFT's: A Kaiming-uniform, B zero, from the seed) where null */
  adapter: Uint8Array | null;
  seed: number;
  threads: number;
  /** "all": every weight is trained, without LoRA (pretraining); "lora" unless given */
  trainable?: "lora" | "all";
}

/** A sample in a model's own tokens. BOS comes first; token t is learned where answer[t] is 1 (never t = 0). */
export interface EncodedSample {
  /** [T] token ids */
  ids: Int32Array;
  /** [T] 1 where the token is an answer token */
  answer: Uint8Array;
  answerBytes: number;
}

/** What one sample's positions learn from knowledge. Position t is the token index whose output predicts token t + 1. */
export interface SampleTarget {
  /** [A] aligned positions, ascending, before the last token; they need not be the answer's */
  positions: Int32Array;
  /** [A + 1] where each position's entries begin in `entries` and `probabilities` */
  offsets: Int32Array;
  /** token ids, or group ids of `partition` */
  entries: Int32Array;
  /** kept probability mass of each entry; per position they sum to 1 − tail */
  probabilities: Float32Array;
  /** [A] mass that was cut off or maps nowhere */
  tail: Float32Array;
  /** index into TrainOptions.partitions, or −1: entries are single tokens */
  partition: number;
}

export interface TrainOptions {
  samples: readonly EncodedSample[];
  /** [S], null where the sample is not selected; absent: plain fine-tuning on the labels */
  targets?: readonly (SampleTarget | null)[];
  /** each [V]: token id → group id, groups numbered from 0 */
  partitions?: readonly Int32Array[];
  /** λ; 1 unless targets are given */
  lambda: number;
  temperature: number;
  /** what a step's KD is divided by: "taught" unless given */
  knowledgeMean?: KnowledgeMean;
  epochs: number;
  training: TrainingSpec;
  /** order of samples */
  seed: number;
  /** what it throws ends training, after the micro-batch under way */
  onProgress?: (progress: TrainProgress) => void;
  checkpoint?: TrainCheckpoint;
}

/** How training is written down while it goes on, and taken up again. */
export interface TrainCheckpoint {
  /** what `save` was given before; null: begin at the beginning. Made by other settings or samples it is refused (`CHECKPOINT_FOREIGN`) */
  resume: Uint8Array | null;
  /** text that is kept with the state */
  note: string;
  /** asked before every micro-batch and after the last one, with the number of steps that are done: should the state be saved now? */
  isDue(step: number): boolean;
  /**
   * Trained values, moments, step and loss after the last step that is done, as safetensors. Training waits for it, and ends with
   * its error where it fails. Resumed training ends in the same bytes.
   */
  save(state: Uint8Array): Promise<void>;
}

export interface TrainProgress {
  step: number;
  steps: number;
  /** the step's λ·CE + (1 − λ)·KD, nats: CE averaged over its answer tokens, KD over its aligned positions, or over its answer tokens too */
  loss: number;
  learningRate: number;
  /** tokens that the model read in the step, without padding */
  tokensPerSecond: number;
}

/** How a text is continued. */
export interface GenerateOptions {
  /** [T] token ids, BOS first; at least one */
  prompt: Int32Array;
  /** most tokens that are generated; the context's end ends generation too */
  maxTokens: number;
  /** divides the logits before one is drawn; 0: always the likeliest token (ties: the lowest id) */
  temperature: number;
  /** draws among so many of the likeliest tokens only; null: among all */
  topK: number | null;
  /** draws among the fewest likeliest tokens that have this much mass together; null: among all */
  topP: number | null;
  /** of the drawing */
  seed: number;
  /** tokens that end generation, such as EOS; they are not given out */
  stop: readonly number[];
}

/** A token as it was generated. */
export interface GeneratedToken {
  id: number;
  /** natural log-probability of the token under the model at temperature 1, over the whole vocabulary */
  logProb: number;
}

/** Knowledge of one sample. P = its answer positions: token indices t whose next token is an answer token. */
export interface SampleKnowledge {
  /** [P] */
  positions: Int32Array;
  /** [P, K] descending by log-probability, ties by lower id */
  topIds: Int32Array;
  /** [P, K] natural log-probabilities over the whole vocabulary */
  topLogProbs: Float32Array;
  /** summed over answer tokens */
  lossNats: number;
}

export interface Model {
  readonly vocabularySize: number;
  readonly contextTokens: number;
  readonly parameters: number;
  readonly trainableParameters: number;
  /** @returns each epoch's mean step loss, weighted by the steps' answer tokens: at λ = 1 nats a token of the whole epoch */
  train(options: TrainOptions): Promise<{ steps: number; lossByEpoch: number[] }>;
  /** Streams in the order of the samples; K = min(topK, V). */
  extract(samples: readonly EncodedSample[], topK: number, batchSize: number): AsyncIterable<SampleKnowledge>;
  /** @returns [S] answer nats of each sample */
  score(samples: readonly EncodedSample[], batchSize: number): Promise<Float64Array>;
  /**
   * Continues one text, token by token, with keys and values kept: each token costs one position. Several texts can take turns;
   * they are not batched. Leaving the loop ends it, and training the model meanwhile (`GENERATION_LOST`). Equal options and weights
   * give equal tokens.
   */
  generate(options: GenerateOptions): AsyncIterable<GeneratedToken>;
  /** @returns [T, V] the logits after each token, row by row */
  logits(ids: Int32Array): Promise<Float32Array>;
  /** @returns adapter_model.safetensors, PEFT's names; byte-identical for equal weights */
  adapter(): Promise<Uint8Array>;
  /** @returns model.safetensors in f32: all weights as they are now, the adapter not merged */
  weights(): Promise<Uint8Array>;
  /** Training stops after the micro-batch that is under way, and is rejected with `ENGINE_CLOSED`. Safe to call twice. */
  close(): Promise<void>;
}
