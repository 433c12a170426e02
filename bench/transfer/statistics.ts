/** Student's t at 97.5 %, by degrees of freedom from 1. */
const STUDENT_T = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093,
];

export interface Spread {
  mean: number;
  /** of the sample (n − 1); 0 for a single value */
  deviation: number;
  count: number;
}

export function spread(values: readonly number[]): Spread {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: count > 1 ? Math.sqrt(squares / (count - 1)) : 0, count };
}

export interface PairedDifference {
  mean: number;
  /** half the width of the 95 % interval; null for a single pair */
  margin: number | null;
  count: number;
}

/** Mean of `values − others`, pair by pair, with its 95 % interval by Student's t. At most 20 pairs. */
export function pairedDifference(values: readonly number[], others: readonly number[]): PairedDifference {
  if (values.length !== others.length) throw new Error(`expected pairs, got ${values.length} and ${others.length}`);
  const { mean, deviation, count } = spread(values.map((value, index) => value - others[index]!));
  const t = STUDENT_T[count - 2];
  if (count > 1 && t === undefined) throw new Error(`expected at most ${STUDENT_T.length + 1} pairs, got ${count}`);
  return { mean, margin: t === undefined ? null : (t * deviation) / Math.sqrt(count), count };
}
