/** A token that is to come more often, or more seldom, than the model has it. */
export interface TokenBias {
  id: number;
  /** added to its logit */
  bias: number;
}

/** What is changed about a text's logits before a token is chosen. */
export interface LogitChangeOptions {
  bias?: readonly TokenBias[];
  /** taken from the logit of every token that the text has been continued with */
  presencePenalty?: number;
  /** taken from it once for each time */
  frequencyPenalty?: number;
}

/**
 * Changes one text's logits as OpenAI's API describes it: bias is added, and what has been generated before is made less likely. The
 * prompt's own tokens count for nothing.
 *
 * @see https://platform.openai.com/docs/api-reference/chat/create `frequency_penalty`, `presence_penalty`, `logit_bias`
 */
export class LogitChanges {
  readonly #bias: readonly TokenBias[];
  readonly #presencePenalty: number;
  readonly #frequencyPenalty: number;
  readonly #counts = new Map<number, number>();

  constructor({ bias = [], presencePenalty = 0, frequencyPenalty = 0 }: LogitChangeOptions) {
    this.#bias = bias;
    this.#presencePenalty = presencePenalty;
    this.#frequencyPenalty = frequencyPenalty;
  }

  /** Whether there is nothing to change, whatever is generated. */
  get isNothing(): boolean {
    return this.#bias.length === 0 && this.#presencePenalty === 0 && this.#frequencyPenalty === 0;
  }

  /** Counts a token that the text was continued with. */
  count(id: number): void {
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
  }

  /** @param logits - [V], left as they are. @returns [V] */
  apply(logits: Float32Array): Float32Array {
    const changed = logits.slice();
    for (const { id, bias } of this.#bias) changed[id] += bias;
    for (const [id, times] of this.#counts) changed[id] -= this.#presencePenalty + times * this.#frequencyPenalty;
    return changed;
  }
}
