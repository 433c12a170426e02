import { invariant } from "../errors.ts";
import { rewardOf, shareByReward } from "./rewards.ts";

/** By which rule a target's candidates are weighed: itself and every source. */
export type SelectionRule = "strict" | "greater" | "weighted-mean";

export interface SourceLosses {
  party: string;
  /** [S] in the metric by which losses are compared */
  losses: Float64Array;
}

/** What a target learns each sample from. S samples. */
export interface SelectedSources {
  /** [S] index into the sources of the best candidate; −1: the target itself */
  winner: Int32Array;
  /** [S] target's loss − the least source's: by how much that source is better, negative where it is worse; 0 where either has none */
  gaps: Float64Array;
  /** [S × (1 + sources)] each candidate's share in what is learned, the target's first; null: all of it is the winner's */
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
 *
 * A loss that is not a number is never selected, and has no share.
 *
 * @param target - [S] the target's own losses
 * @param sources - one for a client (the server), all clients for the server
 *
 * Time O(S · sources).
 * @see Fan et al., "FedMKT", COLING 2025, algorithm 2; FATE-LLM algo/fedmkt/fedmkt_trainer.py
 * @example selectKnowledge("strict", Float64Array.of(2, 1), [{ party: "a", losses: Float64Array.of(1.5, 1) }]).winner // [0, -1]
 */
export function selectKnowledge(
  rule: SelectionRule,
  target: Float64Array,
  sources: readonly SourceLosses[],
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
  const shares = rule === "weighted-mean" ? new Float64Array(samples * width) : null;
  const candidates = new Float64Array(width);
  for (let sample = 0; sample < samples; sample++) {
    candidates[0] = target[sample];
    sources.forEach(({ losses }, source) => {
      candidates[1 + source] = losses[sample];
    });
    const best = leastOf(candidates.subarray(1));
    if (best >= 0 && !Number.isNaN(target[sample])) gaps[sample] = target[sample] - candidates[1 + best];
    if (rule === "strict") winner[sample] = gaps[sample] > 0 ? best : -1;
    else winner[sample] = Math.max(0, leastOf(candidates.map((loss) => -rewardOf(loss)))) - 1;
    shares?.set(shareByReward(candidates), sample * width);
  }
  return { winner, gaps, shares };
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
