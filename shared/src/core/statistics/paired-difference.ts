import { invariant } from "../errors.ts";
import { spread } from "./spread.ts";
import { studentT } from "./student-t.ts";

/** What is left outside an interval on either side: 95 % intervals. */
const UPPER_PROBABILITY = 0.975;

/** The mean difference of pairs, and its 95 % interval. */
export interface PairedDifference {
  mean: number;
  /** half the width of the interval: it reaches from mean − margin to mean + margin; null for a single pair */
  margin: number | null;
  count: number;
}

/**
 * Mean of `values − others`, pair by pair, with its 95 % interval by Student's t with n − 1 degrees of freedom.
 * @param values - at least one, and as many as `others`; values of one place belong together, such as two runs of one seed
 */
export function pairedDifference(values: readonly number[], others: readonly number[]): PairedDifference {
  invariant(
    values.length === others.length && values.length > 0,
    "PAIRS_EXPECTED",
    `expected pairs, got ${values.length} values and ${others.length}`,
  );
  const { mean, deviation, count } = spread(values.map((value, index) => value - others[index]));
  const margin = deviation === null ? null : (studentT(UPPER_PROBABILITY, count - 1) * deviation) / Math.sqrt(count);
  return { mean, margin, count };
}
