import { softmax } from "./softmax.ts";

/**
 * −log softmax(logits)[label] and its gradient, softmax(logits) − one-hot(label), in float64.
 *
 * @param logits - [V]
 * @returns loss in nats; gradient with respect to the logits, [V]
 */
export function crossEntropy(logits: ArrayLike<number>, label: number): { loss: number; gradient: Float64Array } {
  const gradient = softmax(logits);
  const loss = -Math.log(gradient[label]);
  gradient[label] -= 1;
  return { loss, gradient };
}
