import { invariant } from "../errors.ts";
import { bitsPerByte } from "../numeric/bits-per-byte.ts";

/** How a loss is made comparable between models. */
export type LossMetric = "per-byte" | "per-token" | "diluted";

/** What a model's losses on samples are measured by. S samples. */
export interface MeasuredLosses {
  /** [S] of the answer, summed */
  nats: ArrayLike<number>;
  /** [S] UTF-8 bytes of the answer */
  answerBytes: ArrayLike<number>;
  /** [S] tokens of the answer, in the model's own vocabulary */
  answerTokens: ArrayLike<number>;
  /** [S] all tokens, prompt and opening token included */
  tokens: ArrayLike<number>;
}

/** What a loss by each metric is a number of. */
export const LOSS_UNITS = {
  "per-byte": "bits/byte",
  "per-token": "nats/token",
  diluted: "nats/token, the prompt's counted",
} as const satisfies Record<LossMetric, string>;

/**
 * - `per-byte`: bits per byte of the answer. The same text has the same bytes in every vocabulary, so losses compare.
 * - `per-token`: nats per answer token, the cross-entropy as it is written in the paper. A finer vocabulary has more tokens to
 *   share the same surprise, so its losses are less.
 * - `diluted`: FATE-LLM's. The answer's nats are divided by all tokens but the first, the prompt's too, so the longer the prompt
 *   the less the loss; a sample without answer tokens has the loss 0.
 *
 * @returns [S]
 */
export function measureLosses(metric: LossMetric, losses: MeasuredLosses): Float64Array {
  const { nats, answerBytes, answerTokens, tokens } = losses;
  const measured = Float64Array.from(nats);
  for (let sample = 0; sample < measured.length; sample++) {
    if (metric === "per-byte") measured[sample] = bitsPerByte(nats[sample], answerBytes[sample]);
    else {
      const shared = metric === "per-token" ? answerTokens[sample] : tokens[sample] - 1;
      invariant(shared > 0, "EMPTY_ANSWER", `measureLosses: expected at least 1 token to divide by, got ${shared}`);
      measured[sample] = nats[sample] / shared;
    }
  }
  return measured;
}
