import { formatSampleId, type Sample } from "./sample.ts";

type Named = Pick<Sample, "id">;

/** How many of the samples are among the others, by what they say. Time O(both), memory O(others). */
export function countShared(samples: readonly Named[], others: readonly Named[]): number {
  const known = new Set(others.map(({ id }) => formatSampleId(id)));
  return samples.filter(({ id }) => known.has(formatSampleId(id))).length;
}
