import { softmax } from "./softmax.ts";

/** Least rest of the student's mass that the tail is compared with: below it the tail's logarithm stays put. */
export const TAIL_EPSILON = 1e-6;

/** What one position learns. E entries. */
export interface SparseTarget {
  /** [E] token ids, or group ids; each at most once */
  entries: ArrayLike<number>;
  /** [E] probability mass of each */
  probabilities: ArrayLike<number>;
  /** mass that was cut off or maps nowhere */
  tail: number;
}

/**
 * The distillation loss of one position and its gradient, written as the definition reads; the engine's graph is checked
 * against it.
 *
 *     −Σ_S p_s log q_s − p_tail log max(1 − Σ_S q_s, ε)
 *
 * q is the softmax of logits / T; with groups, q_s is the sum over the group's tokens. At and below ε the tail gives no
 * gradient. There is no factor T²: the target is tempered once, when it is aligned.
 *
 * @param logits - [V]
 * @param groupOfToken - [V] group of each token, or null: entries are tokens
 * @returns loss in nats and its gradient with respect to the logits, [V]
 *
 * Time O(V + E), float64.
 */
export function sparseDistillationLoss(
  logits: ArrayLike<number>,
  { entries, probabilities, tail }: SparseTarget,
  temperature: number,
  groupOfToken: ArrayLike<number> | null,
): { loss: number; gradient: Float64Array } {
  const q = softmax(logits, temperature);
  const entryOf = new Map(Array.from(entries, (entry, index) => [entry, index]));
  const mass = new Float64Array(entries.length);
  const entryOfToken = Int32Array.from(q, (_, token) => entryOf.get(groupOfToken ? groupOfToken[token] : token) ?? -1);
  entryOfToken.forEach((entry, token) => {
    if (entry >= 0) mass[entry] += q[token];
  });

  const rest = 1 - mass.reduce((sum, value) => sum + value, 0);
  let loss = -tail * Math.log(Math.max(rest, TAIL_EPSILON));
  // the loss's slope with respect to each entry's mass
  const tailSlope = rest > TAIL_EPSILON ? tail / rest : 0;
  const slope = mass.map((value, entry) => {
    if (probabilities[entry] === 0) return tailSlope;
    loss -= probabilities[entry] * Math.log(value);
    return tailSlope - probabilities[entry] / value;
  });
  const slopeOfToken = (token: number) => (entryOfToken[token] < 0 ? 0 : slope[entryOfToken[token]]);
  let mean = 0;
  for (let token = 0; token < q.length; token++) mean += q[token] * slopeOfToken(token);
  return { loss, gradient: q.map((value, token) => (value * (slopeOfToken(token) - mean)) / temperature) };
}
