import { invariant } from "../errors.ts";
import { rewardOf, shareByReward } from "./rewards.ts";

/** By which rule a target's candidates are weighed: itself and every source. */
export type SelectionRule = "strict" | "greater" | "weighted-mean" | "token" | "confidence";

/** By how much a source must be better than the target, in the unit of the losses. */
export interface GapBounds {
  /** by more than this, ≥ 0 */
  minGap: number;
  /** and by at most this */
  maxGap: number;
}

const ANY_GAP: GapBounds = { minGap: 0, maxGap: Number.POSITIVE_INFINITY };

export interface SourceLosses {
  party: string;
  /** [S] in the metric by which losses are compared */
  losses: Float64Array;
}

/** What a target learns each sample from. S samples. */
export interface SelectedSources {
  /** [S] index into the sources of the best candidate; −1: the target itself */
  winner: Int32Array;
  /**
   * [S] target's loss − the least source's: by how much that source is better, whether or not the bounds let it be learned from;
   * negative where it is worse; 0 where either has none
   */
  gaps: Float64Array;
  /**
   * [S × (1 + sources)] each candidate's share in what is learned, the target's first, all 0 where nothing is learned; null: all
   * of it is the winner's
   */
  shares: Float64Array | null;
}

/**
 * Chooses for each sample among the target and its sources.
 *
 * - `strict`, the paper's DualMinCE: the source with the least loss, and that only where it is strictly less than the target's
 *   own. A tie between sources goes to the first; a source that merely equals the target is not selected.
 * - `greater`, FATE-LLM's: the candidate of the greatest reward 1 / exp(loss), computed in bfloat16, where near losses tie. Ties
 *   go to the target, then to the first source. Where the target wins it learns its own output.
 * - `weighted-mean`, FATE-LLM's: all candidates, by the softmax of their rewards. Rewards lie between 0 and 1, so no candidate
 *   has more than e times another's share. The winner is the one with the greatest reward.
 * - `token`: as `strict`, for losses that are 0 for the target and minus its advantage for a source: see `token-advantage.ts`.
 * - `confidence`: all sources that are strictly better than the target, by the softmax of minus their losses; the target has no
 *   share. The winner is the one with the least loss; where no source is better nothing is learned.
 *
 * Under `strict`, `token` and `confidence` a source counts only where its gap, the target's loss − its own, is within the bounds:
 * too little better has little to teach, and too much better cannot be followed.
 *
 * A loss that is not a number is never selected, and has no share.
 *
 * @param target - [S] the target's own losses
 * @param sources - one for a client (the server), all clients for the server
 *
 * Time O(S · sources).
 * @see Fan et al., "FedMKT", COLING 2025, algorithm 2; FATE-LLM algo/fedmkt/fedmkt_trainer.py; for the bounds Guo et al., "LaDa",
 *   arXiv 2602.18749; for `confidence` Abourayya et al., "FedMosaic", arXiv 2507.00259
 * @example selectKnowledge("strict", Float64Array.of(2, 1), [{ party: "a", losses: Float64Array.of(1.5, 1) }]).winner // [0, -1]
 */
export function selectKnowledge(
  rule: SelectionRule,
  target: Float64Array,
  sources: readonly SourceLosses[],
  { minGap, maxGap }: GapBounds = ANY_GAP,
): SelectedSources {
  const samples = target.length;
  for (const { party, losses } of sources)
    invariant(
      losses.length === samples,
      "SAMPLES_DIFFER",
      `selectKnowledge: expected ${samples} losses of ${party}, got ${losses.length}`,
    );
  const winner = new Int32Array(samples);
  const gaps = new Float64Array(samples);
  const width = 1 + sources.length;
  const isMixed = rule === "weighted-mean" || rule === "confidence";
  const shares = isMixed ? new Float64Array(samples * width) : null;
  const candidates = new Float64Array(width);
  for (let sample = 0; sample < samples; sample++) {
    candidates[0] = target[sample];
    sources.forEach(({ losses }, source) => {
      candidates[1 + source] = losses[sample];
    });
    const best = leastOf(candidates.subarray(1));
    if (best >= 0 && !Number.isNaN(target[sample])) gaps[sample] = target[sample] - candidates[1 + best];
    if (rule === "greater" || rule === "weighted-mean") {
      winner[sample] = Math.max(0, leastOf(candidates.map((loss) => -rewardOf(loss)))) - 1;
      if (rule === "weighted-mean") shares!.set(shareByReward(candidates), sample * width);
      continue;
    }
    const eligible = candidates.subarray(1).map((loss) => {
      const gap = target[sample] - loss;
      return gap > minGap && gap <= maxGap ? loss : Number.NaN;
    });
    winner[sample] = leastOf(eligible);
    if (rule === "confidence") shares!.set(shareByConfidence(eligible), sample * width + 1);
  }
  return { winner, gaps, shares };
}

/** The softmax of minus the losses; one that is not a number has no share. */
function shareByConfidence(losses: Float64Array): Float64Array {
  const least = losses[leastOf(losses)];
  const weights = losses.map((loss) => (Number.isNaN(loss) ? 0 : Math.exp(least - loss)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => (weight === 0 ? 0 : weight / total));
}

/** The first of the least; −1 where none is a number. */
function leastOf(losses: Float64Array): number {
  let best = -1;
  let least = Number.POSITIVE_INFINITY;
  losses.forEach((loss, index) => {
    if (loss < least) {
      least = loss;
      best = index;
    }
  });
  return best;
}
