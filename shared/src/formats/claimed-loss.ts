import type { Knowledge } from "../core/knowledge.ts";
import { MASS_TOLERANCE } from "./knowledge-checks.ts";
import type { Refuse } from "./named-tensors.ts";

/** Nats a position by which a claim may differ: both numbers come from the same logits in single precision. */
const TOLERANCE_NATS = 1e-3;

/** By how many nats a shard's encoding may have changed what a position says. */
export interface Rounding {
  /** of a log-probability that was read */
  entryTolerance(position: number, logProbability: number): number;
  /** whether a log-probability that was read may stand for any lower one */
  isAtMost(position: number, logProbability: number): boolean;
  /** of the tail's logarithm */
  tailTolerance: number;
}

const NO_ROUNDING: Rounding = { entryTolerance: () => 0, isAtMost: () => false, tailTolerance: 0 };

/** What a shard's own top-K says about a sample's loss. */
interface LossBound {
  /** the least the loss can be, nats summed over the answer positions */
  nats: number;
  /** whether every answer token is known from its position's top-K, so that the bound is the loss itself */
  exact: boolean;
  /** nats by which an honest claim may miss the bound */
  tolerance: number;
}

/**
 * Recomputes one sample's loss from its top-K. Where the answer's token is among the K its loss is known; elsewhere its
 * probability is at most the last kept one and at most the tail.
 *
 * Time O(P·K) of the sample.
 */
function boundLoss(knowledge: Knowledge, sample: number, rounding: Rounding): LossBound {
  const {
    answerPositions,
    tokenOffsets,
    tokenIds,
    positionOffsets,
    positions,
    entryOffsets,
    topIds,
    topLogProbs,
    tailMass,
  } = knowledge;
  let nats = 0;
  let exact = true;
  let tolerance = TOLERANCE_NATS * answerPositions[sample];
  for (let at = positionOffsets[sample + 1] - answerPositions[sample]; at < positionOffsets[sample + 1]; at++) {
    const answer = tokenIds[tokenOffsets[sample] + positions[at] + 1];
    const end = entryOffsets[at + 1];
    const found = topIds.subarray(entryOffsets[at], end).indexOf(answer);
    const known = topLogProbs[found >= 0 ? entryOffsets[at] + found : end - 1];
    const rounded = rounding.entryTolerance(at, known);
    if (found >= 0) {
      if (rounding.isAtMost(at, known)) exact = false;
      nats -= known;
      tolerance += rounded;
    } else {
      exact = false;
      nats -= Math.log(Math.min(tailMass[at] + MASS_TOLERANCE, Math.exp(known)));
      tolerance += Math.max(rounded, rounding.tailTolerance);
    }
  }
  return { nats, exact, tolerance };
}

/**
 * Refuses a claimed loss that the shard's own top-K contradicts: selection trusts losses, so a party that understates its
 * own would teach everybody. Also refuses positions that leave answer tokens out, since their loss would go unchecked: they
 * must run without a gap to the sample's last token, and cover the answer's bytes.
 */
export function checkClaimedLoss(knowledge: Knowledge, refuse: Refuse, rounding: Rounding = NO_ROUNDING): void {
  const { lossNats, answerBytes, answerPositions, tokenOffsets, tokenEnds, positionOffsets, positions } = knowledge;
  for (let sample = 0; sample < lossNats.length; sample++) {
    const count = answerPositions[sample];
    const last = tokenOffsets[sample + 1] - tokenOffsets[sample] - 2;
    const first = positions[positionOffsets[sample + 1] - count];
    if (first !== last - count + 1 || positions[positionOffsets[sample + 1] - 1] !== last)
      throw refuse(
        `sample ${sample}: expected answer positions ${last - count + 1} to ${last} without a gap, got ${count} from ${first}`,
      );
    const covered = tokenEnds[tokenOffsets[sample + 1] - 1] - Math.max(0, tokenEnds[tokenOffsets[sample] + first]);
    if (covered < answerBytes[sample])
      throw refuse(`sample ${sample}: expected answer positions over ${answerBytes[sample]} bytes, got ${covered}`);
    const { nats, exact, tolerance } = boundLoss(knowledge, sample, rounding);
    const claimed = lossNats[sample];
    if (claimed < nats - tolerance || (exact && claimed > nats + tolerance))
      throw refuse(
        `sample ${sample}: expected a loss of ${exact ? "" : "at least "}${nats.toFixed(4)} nats, as its top-K says, got a claim of ${claimed.toFixed(4)}`,
      );
  }
}
