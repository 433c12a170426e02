import type { LoraSpec, TrainingSpec } from "../contracts/run-spec.ts";
import type { KnowledgeMean } from "../core/distillation/step-loss.ts";
import type { TokenBias } from "../core/numeric/logit-changes.ts";

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
  /** how texts are generated at once; 16 of them, and nothing kept of those that have ended, unless given */
  generation?: GenerationLimits;
}

/** What generation may take. */
export interface GenerationLimits {
  /** texts that are continued at once, at least 1; further ones wait, and begin in the order in which they came */
  concurrent: number;
  /** for keys and values of texts' beginnings, so that a prompt that begins alike is not read again; 0: none are kept */
  prefixBytes: number;
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
  /** added to the logits of tokens before one is chosen, divided by no temperature yet; none unless given */
  bias?: readonly TokenBias[];
  /** taken from the logit of every token that has been generated; 0 unless given */
  presencePenalty?: number;
  /** taken from it once for each time; 0 unless given */
  frequencyPenalty?: number;
  /** an adapter given to `loadAdapter`; null: the base model alone. Absent: the LoRA that the model was opened with, if any */
  adapter?: string | null;
  /** how many of the likeliest tokens are told with each token: 0 to 20; 0 unless given */
  topLogProbs?: number;
  /** ends generation when it is aborted: the loop then throws the signal's reason, and the text costs nothing any more */
  signal?: AbortSignal;
}

/** A token as it was generated. */
export interface GeneratedToken {
  id: number;
  /** natural log-probability of the token under the model at temperature 1, over the whole vocabulary */
  logProb: number;
  /** where `topLogProbs` asks for it: the likeliest tokens, descending by log-probability, ties by lower id */
  top?: readonly TokenLogProb[];
  /** with a text's first token: how many of the prompt's tokens were not read, since what was kept began alike; absent: none */
  reusedTokens?: number;
}

/** A token that might have come, and its natural log-probability as above. */
export interface TokenLogProb {
  id: number;
  logProb: number;
}

/** A LoRA adapter that is used at run time: the base weights stay as they are, and are not copied. */
export interface AdapterToLoad {
  /** of every layer that it adapts */
  rank: number;
  alpha: number;
  /** adapter_model.safetensors, PEFT's names, in f32, f16 or bf16: lora_A and lora_B of some of the model's linear layers */
  weights: Uint8Array;
}

/** What generation holds at the moment. */
export interface GenerationState {
  /** texts that are continued */
  running: number;
  /** texts that wait for others to end */
  waiting: number;
  /** tokens of the running texts whose keys and values are kept */
  keptTokens: number;
  /** tokens of texts' beginnings that are kept for prompts to come */
  prefixTokens: number;
  /** of all prompts since the model was opened: tokens that were not read, since what was kept began alike */
  reusedTokens: number;
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
   * Continues one text, token by token, with keys and values kept: each token costs one position. All texts that are under way
   * share runs, whatever their adapters. Leaving the loop ends it, and training the model meanwhile (`GENERATION_LOST`).
   *
   * Equal options and weights give equal tokens where texts are generated one at a time and no beginnings are kept. Beside other
   * texts, and from a kept beginning, the same sums may be rounded otherwise, by some 1e-6 of a logit: another token can come only
   * where two were equally likely but for that.
   * @throws InvalidInputError `GENERATION_INVALID`, `MODEL_NOT_FINITE`; `GENERATION_UNSUPPORTED`: see {@link loadAdapter}
   */
  generate(options: GenerateOptions): AsyncIterable<GeneratedToken>;
  /**
   * Makes an adapter known to `generate` by a name. Texts that are under way go on.
   * @throws InvalidInputError `ADAPTER_INVALID` where it does not fit the model, or its name is taken; `GENERATION_UNSUPPORTED` by a
   *   trainer in a process of its own
   */
  loadAdapter(name: string, adapter: AdapterToLoad): Promise<void>;
  /** Lets no new text use the adapter, and forgets it once the last text that does has ended. An unknown name is no error. */
  unloadAdapter(name: string): Promise<void>;
  /** As the engine last told of it. */
  generationState(): GenerationState;
  /** @returns [T, V] the logits after each token, row by row */
  logits(ids: Int32Array): Promise<Float32Array>;
  /** @returns adapter_model.safetensors, PEFT's names; byte-identical for equal weights */
  adapter(): Promise<Uint8Array>;
  /** @returns model.safetensors in f32: all weights as they are now, the adapter not merged */
  weights(): Promise<Uint8Array>;
  /** Training stops after the micro-batch that is under way, and is rejected with `ENGINE_CLOSED`. Safe to call twice. */
  close(): Promise<void>;
}
