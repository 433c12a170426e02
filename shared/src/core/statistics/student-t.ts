/**
 * The quantile of Student's t for whole degrees of freedom: the value that t exceeds with a chance of `1 − probability`.
 * Solves the finite trigonometric series of the distribution (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3
 * and 26.7.4) by halving, to the last few bits of a double. O(degrees of freedom).
 *
 * @param probability - from 0.5 up to less than 1
 * @param degreesOfFreedom - a whole number from 1
 * @example studentT(0.975, 4) // 2.776445105197793
 */
export function studentT(probability: number, degreesOfFreedom: number): number {
  const central = 2 * probability - 1;
  // t = √ν · tan θ; a double's bits are used up well before the halvings are
  let low = 0;
  let high = Math.PI / 2;
  for (let halving = 0; halving < 64; halving++) {
    const middle = (low + high) / 2;
    if (centralProbability(middle, degreesOfFreedom) < central) low = middle;
    else high = middle;
  }
  return Math.sqrt(degreesOfFreedom) * Math.tan(low);
}

/** The chance that |t| is at most √ν · tan θ. */
function centralProbability(angle: number, degreesOfFreedom: number): number {
  const cosine = Math.cos(angle);
  const isOdd = degreesOfFreedom % 2 === 1;
  let term = isOdd ? cosine : 1;
  let sum = 0;
  for (let power = isOdd ? 1 : 0; power <= degreesOfFreedom - 2; power += 2) {
    sum += term;
    term *= (cosine * cosine * (power + 1)) / (power + 2);
  }
  return isOdd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
}
