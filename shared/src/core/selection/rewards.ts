import { roundToBfloat16 } from "../numeric/bfloat16.ts";

/**
 * FATE-LLM's reward of a candidate: 1 / exp(loss), every step of it rounded to bfloat16, which has 8 significant bits. So losses
 * that differ by some thousandths tie, and from 2 on by some hundredths.
 *
 * @returns between 0 and 1; not a number where the loss is none
 * @see FATE-LLM algo/fedmkt/fedmkt_trainer.py
 * @example rewardOf(2) === rewardOf(2.005) // true
 */
export function rewardOf(loss: number): number {
  return roundToBfloat16(1 / roundToBfloat16(Math.exp(roundToBfloat16(loss))));
}

/**
 * Each candidate's share under FATE-LLM's `weighted_mean`: the softmax of the rewards, rounded to bfloat16, so that shares sum
 * to 1 within a few thousandths only.
 *
 * @param losses - of all candidates; one that is not a number has no share
 */
export function shareByReward(losses: Float64Array): Float64Array {
  const weights = losses.map((loss) => {
    const reward = rewardOf(loss);
    return Number.isNaN(reward) ? 0 : Math.exp(reward);
  });
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => roundToBfloat16(weight / total));
}
