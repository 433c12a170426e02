/**
 * Batches of near lengths waste little on padding: the longest come first, equal ones in their order. What fits into one batch
 * stays in its order.
 * @returns each batch's indices
 */
export function batchesByLength(lengths: readonly number[], batchSize: number): number[][] {
  if (lengths.length <= batchSize) return lengths.length === 0 ? [] : [[...lengths.keys()]];
  const longestFirst = [...lengths.keys()].sort((a, b) => lengths[b] - lengths[a]);
  return Array.from({ length: Math.ceil(lengths.length / batchSize) }, (_, batch) =>
    longestFirst.slice(batch * batchSize, (batch + 1) * batchSize),
  );
}

/** Results that are awaited in the samples' order wait for each other: for so many samples, or for one batch that has more. */
const WINDOW_SAMPLES = 64;

/** Samples that follow each other, from `first` on, in batches of near lengths. */
export interface Window {
  first: number;
  /** indices among all samples */
  batches: number[][];
}

/** Parts samples into windows, so that no more results have to be held than those of one window. */
export function windowsByLength(lengths: readonly number[], batchSize: number): Window[] {
  const size = batchSize * Math.max(1, Math.floor(WINDOW_SAMPLES / batchSize));
  return Array.from({ length: Math.ceil(lengths.length / size) }, (_, window) => {
    const first = window * size;
    const batches = batchesByLength(lengths.slice(first, first + size), batchSize);
    return { first, batches: batches.map((batch) => batch.map((index) => first + index)) };
  });
}
