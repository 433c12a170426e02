import { InvalidInputError, invariant } from "../core/errors.ts";
import { answerPositions } from "../core/samples/answer-positions.ts";
import type {
  AdapterToLoad,
  Device,
  EncodedSample,
  OpenModel,
  SampleKnowledge,
  TrainProgress,
} from "../ports/engine.ts";
import { choosesCheckpointing } from "./activation-checkpointing.ts";
import { chunksFor, createPacker, type Packer } from "./batch.ts";
import { openCheckpoint } from "./checkpoint.ts";
import type { TextRequest } from "./continued-text.ts";
import { generationLost } from "./generation-lost.ts";
import { GENERATION_LIMITS, GenerationScheduler } from "./generation-scheduler.ts";
import type { GraphBuilder } from "./graph/builder.ts";
import { continuationGraph, logitsGraph, scoringGraph, trainingGraph } from "./graphs.ts";
import type { LinearSpec } from "./layers/layer-context.ts";
import { adaptedLinears, saveBank } from "./lora-bank.ts";
import { type LoraDropout, seededMasks } from "./lora-dropout.ts";
import type { ModelParts } from "./model-graph.ts";
import type { Placement } from "./node-placement.ts";
import { openBank, wholeBank } from "./open-bank.ts";
import { type RunTimeAdapter, readRunTimeAdapter, runTimeAdapterOf } from "./run-time-adapter.ts";
import { createSession, type GraphSession, type HostTensor, type WeightLayout } from "./session.ts";
import type { Trainee, TrainInput, TrainingRecord } from "./trainee.ts";
import { train } from "./training.ts";

/**
 * A model in this very thread: what the worker runs, with input that has been checked. One ONNX Runtime session is alive at a
 * time, made when it is needed.
 */
export class LanguageModel {
  readonly #parts: ModelParts;
  readonly #threads: number;
  readonly #pack: Packer;
  #session: { key: string; session: GraphSession } | null = null;
  readonly #scheduler: GenerationScheduler;
  /** those that were loaded, by the caller's number */
  readonly #adapters = new Map<number, RunTimeAdapter>();
  /** the bank's, as it is now; null: not yet asked for */
  #ownAdapter: RunTimeAdapter | null = null;
  /** the layers at which generation's graph takes adapters */
  #adapted: readonly LinearSpec[] = [];
  /** whether adapters were neither loaded nor unloaded since then */
  #isAdaptedKnown = false;
  /** how often generation's graph has changed */
  #graphs = 0;

  readonly #device: Device;
  readonly #onPlacement: (graph: string, placement: Placement) => void;
  readonly #isStopped: () => boolean;

  /**
   * @param onPlacement - hears of each graph, once, what a device other than the processor left to it
   * @param isStopped - whether what is under way is to stop
   * @throws InvalidInputError what {@link openCheckpoint} and {@link openBank} throw
   */
  constructor(
    options: OpenModel,
    device: Device,
    isStopped: () => boolean,
    onPlacement: (graph: string, placement: Placement) => void,
  ) {
    this.#device = device;
    this.#onPlacement = onPlacement;
    this.#isStopped = isStopped;
    const checkpoint = openCheckpoint(options.folder);
    this.#parts = { checkpoint, bank: openBank(checkpoint, options), lora: options.lora, device };
    this.#threads = options.threads;
    this.#pack = createPacker(checkpoint.architecture);
    this.#scheduler = new GenerationScheduler(
      {
        architecture: checkpoint.architecture,
        folder: checkpoint.folder,
        trainable: () => (options.lora ? {} : this.#trainable()),
        continuation: () => this.#continuation(),
        checkGoingOn: () => invariant(!this.#isStopped(), "ENGINE_CLOSED", "the model was closed while it generated"),
      },
      options.generation ?? GENERATION_LIMITS,
    );
  }

  describe() {
    const { architecture, parameters } = this.#parts.checkpoint;
    return {
      vocabularySize: architecture.vocabularySize,
      contextTokens: architecture.contextTokens,
      parameters,
      trainableParameters: this.#parts.bank.values.length,
    };
  }

  async train(options: TrainInput, onProgress: (progress: TrainProgress) => void, record: TrainingRecord | null) {
    const { checkpoint, bank } = this.#parts;
    if (bank.values.length === 0)
      throw new InvalidInputError("MODEL_OPTIONS_INVALID", "expected a LoRA or full training, got a frozen model");
    this.#loseTexts();
    const trainee: Trainee = {
      vocabularySize: checkpoint.architecture.vocabularySize,
      values: bank.values,
      entries: bank.entries,
      lora: this.#parts.lora,
      dropout: this.#dropout(),
      pack: this.#pack,
      session: (loss, largest, mode) => {
        const settings = { ...largest, lora: this.#parts.lora };
        const checkpointing = choosesCheckpointing(mode, checkpoint.architecture, settings);
        const options = { ...loss, checkpointing };
        return this.#sessionFor(`train ${JSON.stringify(options)}`, () => trainingGraph(this.#parts, options));
      },
      checkGoingOn: () => invariant(!this.#isStopped(), "ENGINE_CLOSED", "the model was closed while it was trained"),
    };
    try {
      return await train(trainee, options, onProgress, record);
    } finally {
      // those that came meanwhile, too
      this.#loseTexts();
    }
  }

  /** @param largest - most positions that a batch of this extraction has, so that all of them share a session */
  async extract(samples: readonly EncodedSample[], topK: number, largest: number): Promise<SampleKnowledge[]> {
    const kept = Math.min(topK, this.#parts.checkpoint.architecture.vocabularySize);
    const results = await this.#scores(samples, kept, largest);
    const ids = (results?.topIds.data ?? new Int32Array(0)) as Int32Array;
    const logProbs = (results?.topLogProbs.data ?? new Float32Array(0)) as Float32Array;
    let first = 0;
    return samples.map((sample) => {
      const positions = answerPositions(sample);
      const [begin, end] = [first, first + positions.length];
      first = end;
      return {
        positions,
        topIds: ids.slice(begin * kept, end * kept),
        topLogProbs: logProbs.slice(begin * kept, end * kept),
        lossNats: lossBetween(results, begin, end),
      };
    });
  }

  async score(samples: readonly EncodedSample[], largest: number): Promise<Float64Array> {
    const results = await this.#scores(samples, 0, largest);
    let first = 0;
    return Float64Array.from(samples, (sample) => {
      const begin = first;
      first += answerPositions(sample).length;
      return lossBetween(results, begin, first);
    });
  }

  /** @returns [T, V] */
  async logits(ids: Int32Array): Promise<Float32Array> {
    const sample = { ids, answer: new Uint8Array(ids.length), answerBytes: 0 };
    const session = await this.#sessionFor("logits", () => logitsGraph(this.#parts));
    const rows = { data: Int32Array.from(ids, (_, index) => index), shape: [ids.length] };
    const results = await session.run({
      ...this.#pack([sample], 1, { whole: true }).feeds,
      ...this.#trainable(),
      rows,
    });
    return results.logits.data as Float32Array;
  }

  /** Of texts that are generated: the thread runs {@link GenerationScheduler.step} while there are any. */
  get texts(): Pick<GenerationScheduler, "hasTexts" | "state" | "cancel" | "step" | "takeNews"> {
    return this.#scheduler;
  }

  /**
   * @param text - a number of the caller's
   * @param adapter - that of a loaded one; "own": the LoRA that the model was opened with; null: none
   */
  startText(text: number, request: TextRequest, adapter: number | "own" | null): void {
    const used = adapter === "own" ? this.#own() : adapter === null ? null : (this.#adapters.get(adapter) ?? null);
    invariant(used || typeof adapter !== "number", "ADAPTER_LOST", `no adapter was loaded under ${adapter}`);
    this.#scheduler.start(text, request, used);
  }

  /** @param adapter - a number of the caller's @throws InvalidInputError `ADAPTER_INVALID` */
  loadAdapter(adapter: number, name: string, weights: AdapterToLoad): void {
    this.#adapters.set(adapter, readRunTimeAdapter(this.#parts.checkpoint.architecture, name, weights));
    this.#isAdaptedKnown = false;
  }

  /** To be asked once no text uses it. */
  unloadAdapter(adapter: number): void {
    const loaded = this.#adapters.get(adapter);
    if (loaded) this.#scheduler.forget(loaded);
    this.#adapters.delete(adapter);
    this.#isAdaptedKnown = false;
  }

  adapter(): Uint8Array {
    if (!this.#parts.lora)
      throw new InvalidInputError("MODEL_OPTIONS_INVALID", "expected a model with LoRA, got one without");
    return saveBank(this.#parts.bank);
  }

  /** @returns model.safetensors, f32: all weights as they are now, adapters apart */
  weights(): Uint8Array {
    const { checkpoint, bank, lora } = this.#parts;
    return saveBank(lora || bank.entries.length === 0 ? wholeBank(checkpoint) : bank);
  }

  async close(): Promise<void> {
    this.#scheduler.lose(generationLost());
    await this.#closeSession();
  }

  async #closeSession(): Promise<void> {
    await this.#session?.session.close();
    this.#session = null;
  }

  async #scores(samples: readonly EncodedSample[], kept: number, largest: number) {
    const chunks = chunksFor(largest, this.#parts.checkpoint.architecture.vocabularySize);
    const batch = this.#pack(samples, chunks);
    if (batch.positions === 0) return null;
    const session = await this.#sessionFor(`score ${kept} ${chunks}`, () => scoringGraph(this.#parts, kept, chunks));
    const labels = { data: batch.labels, shape: [batch.padded] };
    const results = await session.run({ ...batch.feeds, ...this.#trainable(), labels });
    const bad = results.labelLogProbs.data.findIndex((number) => !Number.isFinite(number));
    if (bad >= 0 && bad < batch.positions)
      throw new InvalidInputError(
        "MODEL_NOT_FINITE",
        `${this.#parts.checkpoint.location}: expected finite log-probabilities, got ${results.labelLogProbs.data[bad]}: are the weights broken?`,
      );
    return results;
  }

  /** Keys, values and the bank's own adapter are those of weights that have changed, or will. */
  #loseTexts(): void {
    this.#scheduler.lose(generationLost());
    this.#ownAdapter = null;
  }

  #dropout(): LoraDropout | null {
    const { checkpoint, lora } = this.#parts;
    if (!lora || lora.dropout === 0) return null;
    const { dropout } = lora;
    return {
      linears: adaptedLinears(checkpoint.architecture, lora),
      masks: (seed) => seededMasks(dropout, seed),
    };
  }

  #own(): RunTimeAdapter | null {
    const { checkpoint, lora, bank } = this.#parts;
    if (lora) this.#ownAdapter ??= runTimeAdapterOf(checkpoint.architecture, lora, bank);
    return this.#ownAdapter;
  }

  /** A graph without LoRA while there is no adapter, else one that takes it wherever one was; it is not made anew for fewer. */
  async #continuation() {
    const own = this.#own();
    if (!this.#isAdaptedKnown) {
      const adapters = [...this.#adapters.values(), ...(own ? [own] : [])];
      const known = new Set(adapters.length === 0 ? [] : this.#adapted);
      const isAdapted = (linear: LinearSpec) => adapters.some(({ layers }) => layers.has(linear.name));
      const adapted = this.#parts.checkpoint.architecture.linears.filter((one) => known.has(one) || isAdapted(one));
      if (adapted.length !== this.#adapted.length) {
        this.#adapted = adapted;
        this.#graphs++;
      }
      this.#isAdaptedKnown = true;
    }
    const adapted = this.#adapted;
    const build = () => continuationGraph(this.#parts, new Set(adapted.map(({ name }) => name)));
    return { session: await this.#sessionFor(`generate ${this.#graphs}`, build, "packed"), adapted };
  }

  #trainable(): Record<string, HostTensor> {
    const { values } = this.#parts.bank;
    return values.length ? { trainable: { data: values, shape: [values.length] } } : {};
  }

  async #sessionFor(key: string, build: () => GraphBuilder, weights?: WeightLayout): Promise<GraphSession> {
    if (this.#session?.key === key) return this.#session.session;
    await this.#closeSession();
    const [kind] = key.split(" ");
    const session = await createSession(
      build(),
      this.#parts.checkpoint.folder,
      this.#threads,
      this.#device,
      weights,
      this.#device === "cpu" ? null : (placement) => this.#onPlacement(kind, placement),
    );
    this.#session = { key, session };
    return session;
  }
}

/** Nats of the rows [begin, end), summed in float64. */
function lossBetween(results: Record<string, HostTensor> | null, begin: number, end: number): number {
  if (begin === end) return 0;
  invariant(results, "ENGINE_RESULT_MISSING", `no scores for the rows ${begin} to ${end}`);
  let nats = 0;
  for (let row = begin; row < end; row++) nats -= results.labelLogProbs.data[row];
  return nats;
}
