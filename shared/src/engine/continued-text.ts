import { LogitChanges } from "../core/numeric/logit-changes.ts";
import { createTokenSampler, topTokens } from "../core/numeric/token-sampler.ts";
import type { GeneratedToken, GenerateOptions } from "../ports/engine.ts";
import type { RunTimeAdapter } from "./run-time-adapter.ts";

/** How a text is continued, as it is sent to the engine's thread: without what cannot be sent. */
export type TextRequest = Omit<GenerateOptions, "adapter" | "signal">;

/** What a run gives about the token that comes next: {@link continuationGraph}'s results of one row. */
export interface NextToken {
  likeliest: number;
  largest: number;
  logTotal: number;
  /** [V]; asked for only where {@link ContinuedText.needsLogits} */
  logits(): Float32Array;
}

/** A text that is being continued. */
export class ContinuedText {
  readonly id: number;
  readonly adapter: RunTimeAdapter | null;
  readonly prompt: Int32Array;
  /** Whether more is needed to choose its tokens than which one is likeliest. */
  readonly needsLogits: boolean;
  /** Nobody wants it any more. */
  isCancelled = false;
  /** tokens of its prompt that were not read, since what was kept began alike */
  reusedTokens = 0;
  readonly #changes: LogitChanges;
  readonly #sample: (logits: Float32Array) => number;
  readonly #request: TextRequest;
  readonly #generated: number[] = [];
  #left: number;

  /** @param request - checked by `checkGeneration` */
  constructor(id: number, request: TextRequest, adapter: RunTimeAdapter | null, contextTokens: number) {
    const { prompt, maxTokens, temperature, topLogProbs = 0 } = request;
    this.id = id;
    this.adapter = adapter;
    this.prompt = prompt;
    this.#changes = new LogitChanges(request);
    this.needsLogits = temperature > 0 || topLogProbs > 0 || !this.#changes.isNothing;
    this.#request = request;
    this.#sample = createTokenSampler(request);
    this.#left = Math.min(maxTokens, contextTokens - prompt.length);
  }

  /** Whether no token comes any more. */
  get hasEnded(): boolean {
    return this.#left === 0;
  }

  /** Lets no token come any more. */
  end(): void {
    this.#left = 0;
  }

  /** Its newest token, which is read next. */
  get last(): number {
    return this.#generated.at(-1) ?? this.prompt[this.prompt.length - 1];
  }

  /** @returns its first tokens */
  beginning(count: number): Int32Array {
    const tokens = new Int32Array(this.prompt.length + this.#generated.length);
    tokens.set(this.prompt);
    tokens.set(this.#generated, this.prompt.length);
    return tokens.subarray(0, count);
  }

  /** @returns the token that comes next; null where it ends the text, and is not given out */
  take(next: NextToken): GeneratedToken | null {
    const { topLogProbs = 0, stop } = this.#request;
    const id = this.#choose(next);
    if (stop.includes(id)) {
      this.end();
      return null;
    }
    this.#left--;
    this.#generated.push(id);
    this.#changes.count(id);
    const logProbOf = (logit: number) => logit - next.largest - next.logTotal;
    const logProb = logProbOf(id === next.likeliest ? next.largest : next.logits()[id]);
    const reused = this.#generated.length === 1 && this.reusedTokens > 0 ? { reusedTokens: this.reusedTokens } : {};
    if (topLogProbs === 0) return { id, logProb, ...reused };
    const logits = next.logits();
    const top = [...topTokens(logits, topLogProbs)].map((other) => ({ id: other, logProb: logProbOf(logits[other]) }));
    return { id, logProb, top, ...reused };
  }

  #choose(next: NextToken): number {
    if (!this.#changes.isNothing) return this.#sample(this.#changes.apply(next.logits()));
    return this.#request.temperature === 0 ? next.likeliest : this.#sample(next.logits());
  }
}
