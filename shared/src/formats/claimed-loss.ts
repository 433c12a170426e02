import type { Knowledge } from "../core/knowledge.ts";
import { MASS_TOLERANCE } from "./knowledge-checks.ts";
import type { Refuse } from "./named-tensors.ts";

/** Nats a position by which a claim may differ: both numbers come from the same logits in single precision. */
const TOLERANCE_NATS = 1e-3;

/** What a shard's own top-K says about a sample's loss. */
export interface LossBound {
  /** the least the loss can be, nats summed over the answer positions */
  nats: number;
  /** whether every answer token is among its position's top-K, so that the bound is the loss itself */
  exact: boolean;
}

/**
 * Recomputes one sample's loss from its top-K. Where the answer's token is among the K its loss is known; elsewhere its
 * probability is at most the last kept one and at most the tail.
 *
 * Time O(P·K) of the sample.
 */
export function boundLoss(knowledge: Knowledge, sample: number): LossBound {
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
  for (let at = positionOffsets[sample + 1] - answerPositions[sample]; at < positionOffsets[sample + 1]; at++) {
    const answer = tokenIds[tokenOffsets[sample] + positions[at] + 1];
    const found = topIds.subarray(entryOffsets[at], entryOffsets[at + 1]).indexOf(answer);
    if (found >= 0) nats -= topLogProbs[entryOffsets[at] + found];
    else {
      exact = false;
      const most = Math.min(tailMass[at] + MASS_TOLERANCE, Math.exp(topLogProbs[entryOffsets[at + 1] - 1]));
      nats -= Math.log(most);
    }
  }
  return { nats, exact };
}

/**
 * Refuses a claimed loss that the shard's own top-K contradicts: selection trusts losses, so a party that understates its
 * own would teach everybody. Also refuses positions that leave answer tokens out, since their loss would go unchecked: they
 * must run without a gap to the sample's last token, and cover the answer's bytes.
 */
export function checkClaimedLoss(knowledge: Knowledge, refuse: Refuse): void {
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
    const { nats, exact } = boundLoss(knowledge, sample);
    const claimed = lossNats[sample];
    const tolerance = TOLERANCE_NATS * count;
    if (claimed < nats - tolerance || (exact && claimed > nats + tolerance))
      throw refuse(
        `sample ${sample}: expected a loss of ${exact ? "" : "at least "}${nats.toFixed(4)} nats, as its top-K says, got a claim of ${claimed.toFixed(4)}`,
      );
  }
}
