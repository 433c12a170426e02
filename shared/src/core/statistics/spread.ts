/** What several values are, as a mean and how far they lie apart. */
export interface Spread {
  mean: number;
  /** of the sample (n − 1); null for a single value, which tells nothing of it */
  deviation: number | null;
  count: number;
}

/** @param values - at least one */
export function spread(values: readonly number[]): Spread {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: count > 1 ? Math.sqrt(squares / (count - 1)) : null, count };
}
