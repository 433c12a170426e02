import { InvalidInputError } from "../core/errors.ts";
import type { GeneratedToken, GenerationLimits, GenerationState } from "../ports/engine.ts";
import { AdapterStack } from "./adapter-stack.ts";
import type { Architecture } from "./architectures/architecture.ts";
import { ContinuedText, type TextRequest } from "./continued-text.ts";
import { KeyValueRows } from "./key-value-rows.ts";
import type { TextPart } from "./layers/attention-mask.ts";
import type { LinearSpec } from "./layers/layer-context.ts";
import { createContinuedFeeds } from "./layers/positional.ts";
import { PrefixStore } from "./prefix-store.ts";
import type { RunTimeAdapter } from "./run-time-adapter.ts";
import type { GraphSession, HostTensor } from "./session.ts";
import { packError, type ThreadError } from "./thread-error.ts";

/** What generation needs of a model. */
export interface TextModel {
  readonly architecture: Architecture;
  /** where its weights lie, as errors name it */
  readonly folder: string;
  /** trained weights, as the graph is fed them */
  trainable(): Record<string, HostTensor>;
  /** Of {@link continuationGraph}, and the linear layers at which it takes adapters: the same list for the same session. */
  continuation(): Promise<{ session: GraphSession; adapted: readonly LinearSpec[] }>;
  /** Throws where generation is to stop; asked before each run. */
  checkGoingOn(): void;
}

/** What is to be told of a text. */
export interface TextNews {
  /** the caller's number */
  id: number;
  tokens: readonly GeneratedToken[];
  /** null: it goes on */
  end: "ended" | ThreadError | null;
}

/** Unless a model is opened with others. */
export const GENERATION_LIMITS: GenerationLimits = { concurrent: 16, prefixBytes: 0 };

/** More in one run are no faster. */
const MOST_CONCURRENT = 1024;
/**
 * A prompt is read in parts of so many tokens: others wait for their next token meanwhile, and the scores of one part with all keys
 * are what bounds memory. Always the same, so that a text's numbers do not depend on whether others are there.
 */
const TOKENS_AT_ONCE = 128;
/** Tokens that come faster than this travel together; a text's first one comes alone. */
const TOLD_TOGETHER_MS = 20;

/**
 * Continues several texts at once. All whose prompts have been read share a run that gives each its next token; of the prompts one
 * is read at a time, in the order in which they came, part by part between these runs, so that nobody's tokens stop for long.
 *
 * The texts' keys and values lie in the rows of {@link KeyValueRows}: text i of those that are decoded in row i, and the one that
 * is read behind them.
 */
export class GenerationScheduler {
  readonly #model: TextModel;
  readonly #limits: GenerationLimits;
  readonly #rows: KeyValueRows;
  readonly #prefixes: PrefixStore<RunTimeAdapter>;
  readonly #feedsOf: (parts: readonly TextPart[]) => Record<string, HostTensor>;
  readonly #waiting: ContinuedText[] = [];
  readonly #decoded: ContinuedText[] = [];
  #read: ContinuedText | null = null;
  #lastWasPart = false;
  #reusedTokens = 0;
  #stacks: { adapted: readonly LinearSpec[]; parts: AdapterStack; tokens: AdapterStack } | null = null;
  readonly #news = new Map<number, { tokens: GeneratedToken[]; end: TextNews["end"] }>();
  readonly #told = new Set<number>();
  #toldAt = 0;
  #isUrgent = false;

  /** @throws InvalidInputError `MODEL_OPTIONS_INVALID` */
  constructor(model: TextModel, limits: GenerationLimits) {
    const { architecture, folder } = model;
    for (const [name, least, most] of [
      ["concurrent", 1, MOST_CONCURRENT],
      ["prefixBytes", 0, Number.MAX_SAFE_INTEGER],
    ] as const)
      if (!Number.isSafeInteger(limits[name]) || limits[name] < least || limits[name] > most)
        throw new InvalidInputError(
          "MODEL_OPTIONS_INVALID",
          `${folder}: generation.${name}: expected a whole number from ${least} to ${most}, got ${limits[name]}`,
        );
    this.#model = model;
    this.#limits = limits;
    this.#rows = new KeyValueRows(architecture, limits.concurrent);
    this.#prefixes = new PrefixStore(architecture, limits.prefixBytes);
    this.#feedsOf = createContinuedFeeds(architecture.positional, architecture.attention);
  }

  get hasTexts(): boolean {
    return this.#waiting.length > 0 || this.#read !== null || this.#decoded.length > 0;
  }

  get state(): GenerationState {
    return {
      running: this.#decoded.length + (this.#read ? 1 : 0),
      waiting: this.#waiting.length,
      keptTokens: this.#rows.lengths.reduce((sum, length) => sum + length, 0),
      prefixTokens: this.#prefixes.tokens,
      reusedTokens: this.#reusedTokens,
    };
  }

  /** @param id - a number of the caller's, used once */
  start(id: number, request: TextRequest, adapter: RunTimeAdapter | null): void {
    this.#waiting.push(new ContinuedText(id, request, adapter, this.#model.architecture.contextTokens));
  }

  /** Ends a text of which nothing more is told. May be asked during a step, which then still gives its token. */
  cancel(id: number): void {
    const waiting = this.#waiting.findIndex((text) => text.id === id);
    if (waiting >= 0) this.#waiting.splice(waiting, 1);
    for (const text of this.#decoded) if (text.id === id) text.isCancelled = true;
    if (this.#read?.id === id) this.#read.isCancelled = true;
    this.#news.delete(id);
    this.#told.delete(id);
  }

  /** Forgets the beginnings that were read with an adapter. Not to be asked during a step. */
  forget(adapter: RunTimeAdapter): void {
    // what a cancelled text has read would be kept once it is removed, and its adapter with it
    this.#removeCancelled();
    this.#prefixes.forget(adapter);
  }

  /** Ends all texts with an error, and forgets what is kept. */
  lose(error: unknown): void {
    const texts = [...this.#decoded, ...(this.#read ? [this.#read] : []), ...this.#waiting];
    for (const text of texts) this.#end(text, packError(error));
    this.#waiting.length = 0;
    this.#decoded.length = 0;
    this.#read = null;
    while (this.#rows.lengths.length > 0) this.#rows.removeLast();
    this.#prefixes.clear();
  }

  /** One run: the next token of every text that is decoded, or a part of a prompt. */
  async step(): Promise<void> {
    try {
      this.#model.checkGoingOn();
      this.#removeCancelled();
      this.#beginNext();
      this.#lastWasPart = this.#read !== null && (this.#decoded.length === 0 || !this.#lastWasPart);
      if (this.#lastWasPart) await this.#readPart(this.#read!);
      else if (this.#decoded.length > 0) await this.#decode();
    } catch (error) {
      this.lose(error);
    }
  }

  /** @returns what has not been told yet; null where it can wait for more */
  takeNews(): TextNews[] | null {
    if (this.#news.size === 0) return null;
    const now = performance.now();
    if (!this.#isUrgent && now - this.#toldAt < TOLD_TOGETHER_MS) return null;
    const news = [...this.#news].map(([id, { tokens, end }]) => ({ id, tokens, end }));
    this.#news.clear();
    this.#toldAt = now;
    this.#isUrgent = false;
    return news;
  }

  #beginNext(): void {
    while (!this.#read && this.#waiting.length > 0 && this.#decoded.length < this.#limits.concurrent) {
      const text = this.#waiting.shift()!;
      if (text.hasEnded) {
        this.#end(text, "ended");
        continue;
      }
      const row = this.#decoded.length;
      this.#read = text;
      this.#rows.add();
      // the last token is read in any case: what comes next is known of it alone
      const known = this.#prefixes.find(text.adapter, text.prompt.subarray(0, -1));
      this.#rows.reserve(row, row + 1, known.tokens);
      for (const { data, tokens } of known.parts) this.#rows.write(row, data, tokens);
      text.reusedTokens = known.tokens;
      this.#reusedTokens += known.tokens;
    }
  }

  async #readPart(text: ContinuedText): Promise<void> {
    const row = this.#decoded.length;
    const first = this.#rows.lengths[row];
    const ids = text.prompt.slice(first, first + TOKENS_AT_ONCE);
    const isLast = first + ids.length === text.prompt.length;
    const wanted = isLast ? Int32Array.of(ids.length - 1) : new Int32Array(0);
    const adapters = new Array<RunTimeAdapter | null>(ids.length).fill(text.adapter);
    const results = await this.#run(row, row + 1, ids, wanted, adapters, isLast && text.needsLogits);
    if (!isLast) return;
    this.#prefixes.keep(text.adapter, text.prompt, (at, count) => this.#rows.read(row, at, count));
    this.#read = null;
    this.#decoded.push(text);
    this.#takeTokens(results, row);
  }

  async #decode(): Promise<void> {
    const count = this.#decoded.length;
    const ids = Int32Array.from(this.#decoded, ({ last }) => last);
    const wanted = Int32Array.from(ids, (_, row) => row);
    const adapters = this.#decoded.map(({ adapter }) => adapter);
    const needsLogits = this.#decoded.some((text) => text.needsLogits);
    this.#takeTokens(await this.#run(0, count, ids, wanted, adapters, needsLogits), 0);
  }

  /**
   * @param ids - [end − begin, tokens]
   * @param wanted - which of their outputs are wanted
   */
  async #run(
    begin: number,
    end: number,
    ids: Int32Array,
    wanted: Int32Array,
    adapters: readonly (RunTimeAdapter | null)[],
    needsLogits: boolean,
  ): Promise<Record<string, HostTensor>> {
    const { session, adapted } = await this.#model.continuation();
    if (this.#stacks?.adapted !== adapted)
      this.#stacks = { adapted, parts: new AdapterStack(adapted), tokens: new AdapterStack(adapted) };
    const rows = this.#rows;
    const tokens = ids.length / (end - begin);
    rows.reserve(begin, end, tokens);
    const parts = rows.lengths.slice(begin, end).map((first) => ({ tokens, first, slots: rows.slots }));
    const results = await session.run(
      {
        ids: { data: ids, shape: [end - begin, tokens] },
        rows: { data: wanted, shape: [wanted.length] },
        ...this.#feedsOf(parts),
        ...rows.feeds(begin, end),
        ...(begin === 0 ? this.#stacks.tokens : this.#stacks.parts).feeds(adapters),
        ...this.#model.trainable(),
      },
      ["fresh", ...(wanted.length > 0 ? ["likeliest", "largest", "logTotal"] : []), ...(needsLogits ? ["logits"] : [])],
    );
    rows.append(results.fresh.data as Float32Array, begin, end, tokens);
    return results;
  }

  /** Gives the decoded texts from `begin` on the tokens that a run has brought them. */
  #takeTokens({ likeliest, largest, logTotal, logits }: Record<string, HostTensor>, begin: number): void {
    const size = this.#model.architecture.vocabularySize;
    const texts = this.#decoded.slice(begin);
    texts.forEach((text, row) => {
      const bad = [largest.data[row], logTotal.data[row]].find((number) => !Number.isFinite(number));
      if (bad !== undefined) {
        const message = `${this.#model.folder}: expected finite logits, got ${bad}: are the weights broken?`;
        this.#end(text, packError(new InvalidInputError("MODEL_NOT_FINITE", message)));
        return;
      }
      const token = text.take({
        likeliest: likeliest.data[row],
        largest: largest.data[row],
        logTotal: logTotal.data[row],
        logits: () => (logits.data as Float32Array).subarray(row * size, (row + 1) * size),
      });
      if (token) this.#tell(text, token);
      if (text.hasEnded) this.#end(text, "ended");
    });
    this.#removeWhere((text) => text.hasEnded);
  }

  #tell(text: ContinuedText, token: GeneratedToken): void {
    if (text.isCancelled) return;
    const news = this.#news.get(text.id) ?? { tokens: [], end: null };
    news.tokens.push(token);
    this.#news.set(text.id, news);
    if (!this.#told.has(text.id)) this.#isUrgent = true;
    this.#told.add(text.id);
  }

  #end(text: ContinuedText, end: "ended" | ThreadError): void {
    text.end();
    if (text.isCancelled) return;
    this.#news.set(text.id, { tokens: this.#news.get(text.id)?.tokens ?? [], end });
    this.#told.delete(text.id);
    this.#isUrgent = true;
  }

  #removeCancelled(): void {
    if (this.#read?.isCancelled) {
      this.#keepBeginning(this.#read, this.#decoded.length);
      this.#rows.removeLast();
      this.#read = null;
    }
    this.#removeWhere((text) => text.isCancelled);
  }

  /** The last decoded text takes a leaving one's row, and the one that is read comes after it. */
  #removeWhere(leaves: (text: ContinuedText) => boolean): void {
    for (let row = this.#decoded.length - 1; row >= 0; row--) {
      const text = this.#decoded[row];
      if (!leaves(text)) continue;
      this.#keepBeginning(text, row);
      const last = this.#decoded.pop()!;
      const lastRow = this.#decoded.length;
      if (row !== lastRow) {
        this.#rows.move(lastRow, row);
        this.#decoded[row] = last;
      }
      if (this.#read) this.#rows.move(lastRow + 1, lastRow);
      this.#rows.removeLast();
    }
  }

  #keepBeginning(text: ContinuedText, row: number): void {
    const read = this.#rows.lengths[row];
    this.#prefixes.keep(text.adapter, text.beginning(read), (first, count) => this.#rows.read(row, first, count));
  }
}
