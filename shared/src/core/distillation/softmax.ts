/** softmax(logits / temperature), in float64. */
export function softmax(logits: ArrayLike<number>, temperature = 1): Float64Array {
  let largest = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < logits.length; index++) largest = Math.max(largest, logits[index]);
  const values = Float64Array.from(logits, (logit) => Math.exp((logit - largest) / temperature));
  const total = values.reduce((sum, value) => sum + value, 0);
  return values.map((value) => value / total);
}
