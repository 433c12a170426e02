import { InvalidInputError } from "../errors.ts";

/** Which part of a data set a run takes, counted after cutting. */
export interface Slice {
  /** left out at the beginning */
  from?: number;
  /** takes every n-th of the rest */
  every?: number;
  /** takes so many of these; all unless given */
  samples?: number;
}

/**
 * @param what - the file as errors name it
 * @throws InvalidInputError `TOO_FEW_SAMPLES` where none, or fewer than were asked for, are there
 */
export function takeSlice<Item>(items: readonly Item[], { from = 0, every = 1, samples }: Slice, what: string): Item[] {
  if (items.length === 0)
    throw new InvalidInputError(
      "TOO_FEW_SAMPLES",
      `${what}: is empty; expected at least ${countSamples(samples ?? 1)}`,
    );
  const taken: Item[] = [];
  for (let at = from; at < items.length && taken.length < (samples ?? Infinity); at += every) taken.push(items[at]);
  if (taken.length < (samples ?? 1))
    throw new InvalidInputError(
      "TOO_FEW_SAMPLES",
      `${what}: expected at least ${countSamples(samples ?? 1)} (from ${from}, every ${every}), got ${taken.length} of ${items.length} in the file`,
    );
  return taken;
}

function countSamples(samples: number): string {
  return samples === 1 ? "1 sample" : `${samples} samples`;
}
