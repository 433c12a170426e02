/** Steps of the table that halve the value. */
const STEPS_PER_HALVING = 64;
const STEP = Math.LN2 / STEPS_PER_HALVING;
/** Below it the table ends: e^−40 is less than 10⁻¹⁷. */
const LEAST = -40;
const TABLE = Float64Array.from({ length: Math.ceil(-LEAST / STEP) + 2 }, (_, index) => Math.exp(-index * STEP));

/**
 * e^x of a logarithm of a probability, several times faster than `Math.exp`: a table's value times a short series of what is
 * left. From −40 to 0 the relative error is below 10⁻¹³, a millionth of what float32 can tell apart; elsewhere it is `Math.exp`.
 */
export function exponential(x: number): number {
  if (!(x >= LEAST && x <= 0)) return Math.exp(x);
  const index = (x * (-1 / STEP) + 0.5) | 0;
  const rest = x + index * STEP;
  return TABLE[index] * (1 + rest * (1 + rest * (1 / 2 + rest * (1 / 6 + rest * (1 / 24)))));
}
