/** How λ goes over a run. */
export interface LambdaCourse {
  /** λ of the first round */
  first: number;
  /** λ of the last round; undefined: the first round's stays */
  last: number | undefined;
  rounds: number;
}

/**
 * λ of one round: it moves linearly, by equal amounts a round, from the first round's to the last one's. A run of one round has the
 * first one's. FuseLLM lets the weight of its labels' loss decay likewise (`lm_loss_weight`), step by step.
 *
 * @param round - from 1 to rounds
 * @example lambdaInRound({ first: 0.9, last: 0.5, rounds: 3 }, 2) // 0.7
 */
export function lambdaInRound({ first, last, rounds }: LambdaCourse, round: number): number {
  if (last === undefined || rounds === 1) return first;
  const share = (round - 1) / (rounds - 1);
  // so that the ends are what was asked for, to the last bit
  return first * (1 - share) + last * share;
}
