import type { TrainedTensor, TrainerAnswer, TrainerReply, TrainerRequest } from "../../contracts/trainer-protocol.ts";
import { checkGeneration } from "../../core/check-generation.ts";
import { checkSamples, checkTargets } from "../../core/check-model-input.ts";
import { InvalidInputError, InvariantError } from "../../core/errors.ts";
import { LogitChanges } from "../../core/numeric/logit-changes.ts";
import { answerPositions } from "../../core/samples/answer-positions.ts";
import type {
  Device,
  EncodedSample,
  GeneratedToken,
  GenerateOptions,
  GenerationState,
  Model,
  OpenModel,
  SampleKnowledge,
  TrainOptions,
} from "../../ports/engine.ts";
import { checkWeights, countValues, fileLimit, readTensors, takeTensor, UnexpectedTensors } from "./trained-tensors.ts";
import { readKnowledge } from "./trainer-knowledge.ts";
import type { Answered, Exchange, Heard, TrainerProcess } from "./trainer-process.ts";
import { writeLessons, writeSamples } from "./training-lessons.ts";
import { openTrainingRecord } from "./training-record.ts";

type Names = TrainerAnswer["answer"];

/** A model that a trainer's process holds. */
export class ProcessModel implements Model {
  vocabularySize = 0;
  contextTokens = 0;
  parameters = 0;
  trainableParameters = 0;
  readonly #trainer: TrainerProcess;
  readonly #release: () => void;
  #trained: readonly TrainedTensor[] = [];
  #lora: OpenModel["lora"] = null;
  #folder = "";
  #last: Promise<unknown> = Promise.resolve();
  #isOpen = false;
  #generating = 0;
  #closed: Promise<void> | null = null;

  /** @param release - called once, when the process is done with the model */
  constructor(trainer: TrainerProcess, release: () => void) {
    this.#trainer = trainer;
    this.#release = release;
  }

  async open(options: OpenModel, device: Device): Promise<void> {
    const { folder, lora, adapter, seed, threads, trainable = "lora" } = options;
    const refuse = (reason: string) => new InvalidInputError("MODEL_OPTIONS_INVALID", `${folder}: ${reason}`);
    if (trainable === "all" && (lora || adapter)) throw refuse("expected no LoRA where all weights are trained");
    if (!lora && adapter) throw refuse("expected LoRA settings for the adapter, got none");
    const { answer } = await this.#ask(
      { request: "open", folder, lora, seed, threads, trainable, device },
      adapter ? [adapter] : [],
      0,
    );
    this.#isOpen = true;
    this.#folder = folder;
    this.#lora = lora;
    this.#trained = answer.trained;
    this.vocabularySize = answer.vocabularySize;
    this.contextTokens = answer.contextTokens;
    this.parameters = answer.parameters;
    this.trainableParameters = countValues(answer.trained);
  }

  async train({ onProgress, checkpoint, ...options }: TrainOptions) {
    checkSamples(options.samples, this);
    checkTargets(options, this);
    if (this.#trained.length === 0)
      throw new InvalidInputError("MODEL_OPTIONS_INVALID", "expected a LoRA or full training, got a frozen model");
    const trained = { entries: this.#trained, lora: this.#lora };
    const record = openTrainingRecord(checkpoint ?? null, options, trained);
    const {
      lambda,
      temperature,
      knowledgeMean = "taught",
      epochs,
      seed,
      training,
      samples,
      targets,
      partitions,
    } = options;
    const attached = [writeLessons(samples, targets, partitions), ...(record.resumed ? [record.resumed.bytes] : [])];
    const values = this.trainableParameters;
    const { answer } = await this.#converse(
      {
        request: "train",
        lambda,
        temperature,
        knowledgeMean,
        epochs,
        seed,
        training,
        resume: record.resumed?.step ?? null,
      },
      attached,
      { answer: 0, event: fileLimit(3 * values + 2 * (epochs + 2), 5) },
      async ({ event, attached: [state] }) => {
        if (event.event === "pause") return (await record.isDue(event.step)) ? "save" : "go";
        if (event.event === "state") await this.#believing(() => record.save(event.step, state, values));
        if (event.event === "progress") {
          const { event: _, ...progress } = event;
          onProgress?.(progress);
        }
        return "go";
      },
    );
    const steps = epochs * Math.ceil(samples.length / training.batchSize);
    const losses = steps === 0 ? 0 : epochs;
    const got = answer.lossByEpoch.length;
    if (answer.steps !== steps || got !== losses)
      throw await this.#trainer.refuse(
        `expected ${steps} steps and lossByEpoch [${losses}], got ${answer.steps} and [${got}]`,
      );
    return { steps, lossByEpoch: answer.lossByEpoch };
  }

  async *extract(samples: readonly EncodedSample[], topK: number, batchSize: number): AsyncGenerator<SampleKnowledge> {
    checkSamples(samples, this);
    const kept = Math.min(topK, this.vocabularySize);
    for (let begin = 0; begin < samples.length; begin += batchSize) {
      const batch = samples.slice(begin, begin + batchSize);
      const positions = batch.reduce((sum, sample) => sum + answerPositions(sample).length, 0);
      const { attached } = await this.#ask(
        { request: "extract", topK: kept },
        [writeSamples(batch)],
        fileLimit(2 * (2 * positions * kept + batch.length), 3),
      );
      yield* await this.#believing(() => readKnowledge(attached[0], batch, kept, this.vocabularySize, this.#folder));
    }
  }

  async score(samples: readonly EncodedSample[], batchSize: number): Promise<Float64Array> {
    checkSamples(samples, this);
    const nats = new Float64Array(samples.length);
    for (let begin = 0; begin < samples.length; begin += batchSize) {
      const batch = samples.slice(begin, begin + batchSize);
      const { attached } = await this.#ask({ request: "score" }, [writeSamples(batch)], fileLimit(2 * batch.length, 1));
      const found = await this.#believing(() =>
        takeTensor(readTensors(attached[0]).tensors, "nats", "F64", batch.length),
      );
      this.#checkFinite(found);
      nats.set(found, begin);
    }
    return nats;
  }

  /** The text is taken as it comes, not when it is asked for, so that other requests and the model's end never wait for a reader. */
  async *generate(options: GenerateOptions): AsyncGenerator<GeneratedToken> {
    checkGeneration(options, this);
    const { prompt, stop, maxTokens, temperature, topK, topP, seed, signal } = options;
    if (options.adapter !== undefined) throw unsupported("adapters at run time");
    if (options.topLogProbs) throw unsupported("the likeliest tokens beside each");
    if (!new LogitChanges(options).isNothing) throw unsupported("a bias of tokens, and penalties");
    signal?.throwIfAborted();
    const samples = writeSamples([{ ids: prompt, answer: new Uint8Array(prompt.length) }]);
    this.#generating++;
    const tokens: GeneratedToken[] = [];
    let made = 0;
    let isLeft = false;
    let isOver = false;
    let news = Promise.withResolvers<void>();
    const text = this.#converse(
      { request: "generate", maxTokens, temperature, topK, topP, seed, stop },
      [samples],
      { answer: 0 },
      async ({ event }) => {
        if (event.event !== "token" || event.id >= this.vocabularySize || ++made > maxTokens || event.logProb > 0)
          throw await this.#trainer.refuse("expected a token of the vocabulary with its log-probability, got another");
        tokens.push({ id: event.id, logProb: event.logProb });
        news.resolve();
        return isLeft ? "stop" : "go";
      },
    );
    const ended = text.then(
      () => null,
      (error: unknown) => ({ error }),
    );
    void ended.then(() => {
      isOver = true;
      news.resolve();
    });
    const leave = () => {
      isLeft = true;
      news.resolve();
    };
    signal?.addEventListener("abort", leave);
    try {
      for (;;) {
        while (tokens.length > 0) {
          signal?.throwIfAborted();
          yield tokens.shift()!;
        }
        signal?.throwIfAborted();
        if (isOver) break;
        await news.promise;
        news = Promise.withResolvers<void>();
      }
      const failure = await ended;
      if (failure) throw failure.error;
    } finally {
      signal?.removeEventListener("abort", leave);
      isLeft = true;
      this.#generating--;
      await ended;
    }
  }

  async loadAdapter(): Promise<void> {
    throw unsupported("adapters at run time");
  }

  async unloadAdapter(): Promise<void> {}

  /** Texts are generated one at a time; what is kept of them the process alone knows. */
  generationState(): GenerationState {
    const running = Math.min(1, this.#generating);
    return { running, waiting: this.#generating - running, keptTokens: 0, prefixTokens: 0, reusedTokens: 0 };
  }

  async logits(ids: Int32Array): Promise<Float32Array> {
    const sample = { ids, answer: new Uint8Array(ids.length) };
    checkSamples([sample], this);
    const length = ids.length * this.vocabularySize;
    const { attached } = await this.#ask({ request: "logits" }, [writeSamples([sample])], fileLimit(length, 1));
    return this.#believing(() => takeTensor(readTensors(attached[0]).tensors, "logits", "F32", length));
  }

  async adapter(): Promise<Uint8Array> {
    if (!this.#lora && !this.#closed)
      throw new InvalidInputError("MODEL_OPTIONS_INVALID", "expected a model with LoRA, got one without");
    const limit = fileLimit(this.trainableParameters, this.#trained.length);
    const { attached } = await this.#ask({ request: "adapter" }, [], limit);
    return this.#believing(() => checkWeights(attached[0], this.#trained));
  }

  async weights(): Promise<Uint8Array> {
    const isWhole = this.#lora === null && this.#trained.length > 0;
    const { attached } = await this.#ask({ request: "weights" }, [], fileLimit(this.parameters, MAX_WEIGHTS));
    return this.#believing(() => checkWeights(attached[0], isWhole ? this.#trained : null));
  }

  /** What is under way comes to its end, training after its micro-batch; where it does not, the process is ended. */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    const timer = setTimeout(() => this.#trainer.kill(), this.#trainer.closeMs);
    try {
      await this.#last;
      if (this.#isOpen && this.#trainer.isFit) await this.#trainer.ask({ request: "close" }, [], { answer: 0 }).next();
    } catch {
      // a process that cannot close its model is gone, and its memory with it
    } finally {
      clearTimeout(timer);
      this.#release();
    }
  }

  #begin<Name extends Names>(
    request: TrainerRequest & { request: Name },
    attached: readonly Uint8Array[],
    limits: { answer: number; event?: number },
  ): Exchange<Name> {
    if (this.#closed) throw new InvariantError("ENGINE_CLOSED", "the model has been closed");
    return this.#trainer.ask<Name>(request, attached, limits);
  }

  #ask<Name extends Names>(
    request: TrainerRequest & { request: Name },
    attached: readonly Uint8Array[],
    limit: number,
  ): Promise<Answered<Name>> {
    return this.#converse<Name>(request, attached, { answer: limit }, async () => {
      throw await this.#trainer.refuse(`expected the answer to ${request.request}, got an event`);
    });
  }

  /** One request from its beginning to its answer, after those before it. What answering an event throws ends it. */
  #converse<Name extends Names>(
    request: TrainerRequest & { request: Name },
    attached: readonly Uint8Array[],
    limits: { answer: number; event?: number },
    onEvent: (heard: Heard) => Promise<TrainerReply>,
  ): Promise<Answered<Name>> {
    const conversation = this.#last.then(async () => {
      const talk = this.#begin<Name>(request, attached, limits);
      let failed: { error: unknown } | null = null;
      try {
        let next = await talk.next();
        while (!next.done) {
          let reply: TrainerReply = "stop";
          if (!failed && !this.#closed)
            try {
              reply = await onEvent(next.value);
            } catch (error) {
              failed = { error };
            }
          next = await talk.next(reply);
        }
        if (failed) throw failed.error;
        if (this.#closed) throw new InvariantError("ENGINE_CLOSED", "the model was closed while it was at work");
        return next.value;
      } catch (error) {
        if (failed) throw failed.error;
        if (this.#closed) throw new InvariantError("ENGINE_CLOSED", "the model was closed while it was at work");
        throw error;
      }
    });
    this.#last = conversation.catch(() => {});
    return conversation;
  }

  /** @throws InvalidInputError `TRAINER_INVALID` where what came is not what was asked for; the process is ended */
  async #believing<T>(read: () => T | Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (error instanceof UnexpectedTensors) throw await this.#trainer.refuse(error.message);
      throw error;
    }
  }

  #checkFinite(nats: Float64Array): void {
    const bad = nats.find((number) => !Number.isFinite(number));
    if (bad !== undefined)
      throw new InvalidInputError(
        "MODEL_NOT_FINITE",
        `${this.#folder}: expected finite log-probabilities, got ${bad}: are the weights broken?`,
      );
  }
}

/** Tensors that a model's weights may be. */
const MAX_WEIGHTS = 100_000;

function unsupported(what: string): InvalidInputError {
  return new InvalidInputError(
    "GENERATION_UNSUPPORTED",
    `expected generation by the engine of this program for ${what}, got a trainer in a process of its own`,
  );
}
