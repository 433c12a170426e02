import { createRandom } from "./random.ts";

export interface SamplingOptions {
  /** divides the logits; 0: always the likeliest token */
  temperature: number;
  /** draws among so many of the likeliest tokens only; null: among all */
  topK: number | null;
  /** then among the fewest likeliest of these that have this share of their mass together; null: among all */
  topP: number | null;
  seed: number;
}

/**
 * Makes a stream of draws: equal options and equal logits give equal tokens. Ties go to the lower id.
 * @returns [V] logits → a token's id. Tokens whose logit is −∞ are never drawn
 */
export function createTokenSampler({
  temperature,
  topK,
  topP,
  seed,
}: SamplingOptions): (logits: Float32Array) => number {
  const random = createRandom(seed);
  return (logits) => {
    const likeliest = likeliestToken(logits);
    if (temperature === 0) return likeliest;
    const weight = (id: number) => Math.exp((logits[id] - logits[likeliest]) / temperature);
    let ids = topK === null ? Array.from(logits.keys()) : likeliestTokens(logits, topK);
    let weights = ids.map(weight);
    if (topP !== null) {
      ids = nucleus(ids, weights, topP);
      weights = ids.map(weight);
    }
    const total = weights.reduce((sum, one) => sum + one, 0);
    const wanted = random.next() * total;
    let passed = 0;
    for (const [index, one] of weights.entries()) {
      passed += one;
      if (wanted < passed) return ids[index];
    }
    return likeliest; // only where rounding left the sum a hair short
  };
}

/** @returns the lowest id among the largest logits */
export function likeliestToken(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[best]) best = id;
  return best;
}

/** @returns the natural log-probability of a token, its sum taken in float64 */
export function tokenLogProb(logits: Float32Array, id: number): number {
  const largest = logits[likeliestToken(logits)];
  let mass = 0;
  for (const logit of logits) mass += Math.exp(logit - largest);
  return logits[id] - largest - Math.log(mass);
}

/** @returns `count` ids, ascending */
function likeliestTokens(logits: Float32Array, count: number): number[] {
  if (count >= logits.length) return Array.from(logits.keys());
  const least = logits.toSorted()[logits.length - count];
  const ids: number[] = [];
  let ties = count;
  for (const logit of logits) if (logit > least) ties--;
  for (const [id, logit] of logits.entries()) if (logit > least || (logit === least && ties-- > 0)) ids.push(id);
  return ids;
}

/** @returns the fewest likeliest ids, likeliest first, that have this share of the mass */
function nucleus(ids: readonly number[], weights: readonly number[], share: number): number[] {
  const total = weights.reduce((sum, one) => sum + one, 0);
  // all that weigh less have less than what may be left out, even together: only the rest has to be sorted
  const negligible = (total * (1 - share)) / ids.length;
  const order = Array.from(ids.keys())
    .filter((index) => weights[index] >= negligible)
    .sort((a, b) => weights[b] - weights[a] || ids[a] - ids[b]);
  let passed = 0;
  const end = order.findIndex((index) => {
    passed += weights[index];
    return passed >= share * total;
  });
  return (end < 0 ? order : order.slice(0, end + 1)).map((index) => ids[index]);
}
