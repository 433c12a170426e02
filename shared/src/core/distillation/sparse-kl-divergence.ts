import { type SparseTarget, sparseDistillationLoss } from "./sparse-distillation-loss.ts";

/**
 * The Kullback-Leibler divergence of the student from one position's target, entries and tail being its parts:
 *
 *     Σ_S p_s log(p_s / q_s) + p_tail log(p_tail / max(1 − Σ_S q_s, ε))
 *
 * That is {@link sparseDistillationLoss} less the target's entropy, in which no logit occurs: the gradient is the same, so
 * training is. It is 0 where the student holds exactly the target, which the cross-entropy is only where the target is certain.
 *
 * @returns loss in nats; the gradient with respect to the logits, [V]
 */
export function sparseKlDivergence(
  logits: ArrayLike<number>,
  target: SparseTarget,
  temperature: number,
  groupOfToken: ArrayLike<number> | null,
): { loss: number; gradient: Float64Array } {
  const { loss, gradient } = sparseDistillationLoss(logits, target, temperature, groupOfToken);
  return { loss: loss - entropyOf(target), gradient };
}

function entropyOf({ probabilities, tail }: SparseTarget): number {
  return [...Array.from(probabilities), tail].reduce((sum, p) => (p === 0 ? sum : sum - p * Math.log(p)), 0);
}
