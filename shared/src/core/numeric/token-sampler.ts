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
 * @returns [V] logits, none of them NaN or ∞ and not all −∞ → a token's id. Tokens whose logit is −∞ are never drawn
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
    let ids = likeliestTokens(logits, topK ?? logits.length);
    let weights = new Float64Array(ids.length);
    for (let index = 0; index < ids.length; index++)
      weights[index] = Math.exp((logits[ids[index]] - logits[likeliest]) / temperature);
    if (topP !== null) {
      const kept = nucleus(weights, topP);
      ids = Int32Array.from(kept, (index) => ids[index]);
      weights = Float64Array.from(kept, (index) => weights[index]);
    }
    // less than the sum, even rounded, so that the walk ends at the last token at the latest
    const wanted = random.next() * sum(weights);
    let drawn = 0;
    for (let passed = weights[0]; passed <= wanted; passed += weights[drawn]) drawn++;
    return ids[drawn];
  };
}

/** @returns the lowest id among the largest logits */
export function likeliestToken(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[best]) best = id;
  return best;
}

/** @returns the ids of the largest logits, descending by logit, ties by lower id; at most so many */
export function topTokens(logits: Float32Array, count: number): Int32Array {
  const kept = Math.min(count, logits.length);
  const ids = new Int32Array(kept);
  let found = 0;
  for (let id = 0; id < logits.length; id++) {
    if (found === kept && (kept === 0 || logits[id] <= logits[ids[kept - 1]])) continue;
    let at = found < kept ? found++ : kept - 1;
    for (; at > 0 && logits[ids[at - 1]] < logits[id]; at--) ids[at] = ids[at - 1];
    ids[at] = id;
  }
  return ids;
}

/** @returns at most so many ids, ascending */
function likeliestTokens(logits: Float32Array, most: number): Int32Array {
  const count = Math.min(most, logits.length);
  const least = count === logits.length ? Number.NEGATIVE_INFINITY : nthLargest(logits, count);
  let ties = count;
  for (let id = 0; id < logits.length; id++) if (logits[id] > least) ties--;
  const ids = new Int32Array(count);
  let found = 0;
  for (let id = 0; id < logits.length; id++)
    if (logits[id] > least || (logits[id] === least && ties-- > 0)) ids[found++] = id;
  return ids;
}

/** Hoare's selection: linear on average. @returns the n-th largest value, n from 1 */
function nthLargest(numbers: Float32Array, n: number): number {
  const values = numbers.slice();
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const pivot = values[(low + high) >>> 1];
    let left = low;
    let right = high;
    while (left <= right) {
      while (values[left] > pivot) left++;
      while (values[right] < pivot) right--;
      if (left > right) break;
      const held = values[left];
      values[left++] = values[right];
      values[right--] = held;
    }
    if (n - 1 <= right) high = right;
    else if (n - 1 >= left) low = left;
    else break;
  }
  return values[n - 1];
}

/** @returns the fewest indices that have this share of the mass, heaviest first, of equal ones the lower first */
function nucleus(weights: Float64Array, share: number): number[] {
  const mass = sum(weights);
  // all that weigh less have less than what may be left out, even together: only the rest has to be sorted
  const negligible = (mass * (1 - share)) / weights.length;
  const order: number[] = [];
  for (let index = 0; index < weights.length; index++) if (weights[index] >= negligible) order.push(index);
  order.sort((a, b) => weights[b] - weights[a]);
  let kept = 0;
  for (let passed = 0; kept < order.length && passed < share * mass; kept++) passed += weights[order[kept]];
  return order.slice(0, kept);
}

function sum(numbers: Float64Array): number {
  let total = 0;
  for (let index = 0; index < numbers.length; index++) total += numbers[index];
  return total;
}
