import { cutEntries } from "./cut-entries.ts";
import type { Knowledge } from "./knowledge.ts";

/**
 * Cuts each position's entries where their mass reaches p: the likeliest are kept, at least one, and none after the one that reaches
 * it. What is cut off goes to the tail. At p = 1 nothing is cut, so that no rounding of the sum decides.
 *
 * @param topP - above 0, at most 1
 */
export function cutAtMass(knowledge: Knowledge, topP: number): Knowledge {
  if (topP === 1) return knowledge;
  const { positions, entryOffsets, topLogProbs } = knowledge;
  const counts = new Int32Array(positions.length);
  for (let at = 0; at < positions.length; at++) {
    let end = entryOffsets[at];
    let mass = 0;
    do mass += Math.exp(topLogProbs[end++]);
    while (end < entryOffsets[at + 1] && mass < topP);
    counts[at] = end - entryOffsets[at];
  }
  return cutEntries(knowledge, counts);
}
