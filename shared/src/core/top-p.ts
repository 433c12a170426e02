import type { Knowledge } from "./knowledge.ts";

/**
 * Cuts each position's entries where their mass reaches p: the likeliest are kept, at least one, and none after the one that reaches
 * it. What is cut off goes to the tail. At p = 1 nothing is cut, so that no rounding of the sum decides.
 *
 * @param topP - above 0, at most 1
 */
export function cutAtMass(knowledge: Knowledge, topP: number): Knowledge {
  if (topP === 1) return knowledge;
  const { positions, entryOffsets, topIds, topLogProbs } = knowledge;
  const keptOffsets = new Int32Array(positions.length + 1);
  const tailMass = new Float32Array(positions.length);
  for (let at = 0; at < positions.length; at++) {
    let end = entryOffsets[at];
    let mass = 0;
    do mass += Math.exp(topLogProbs[end++]);
    while (end < entryOffsets[at + 1] && mass < topP);
    keptOffsets[at + 1] = keptOffsets[at] + end - entryOffsets[at];
    tailMass[at] = Math.min(1, Math.max(0, 1 - mass));
  }
  const keptIds = new Int32Array(keptOffsets[positions.length]);
  const keptLogProbs = new Float32Array(keptIds.length);
  for (let at = 0; at < positions.length; at++) {
    const end = entryOffsets[at] + keptOffsets[at + 1] - keptOffsets[at];
    keptIds.set(topIds.subarray(entryOffsets[at], end), keptOffsets[at]);
    keptLogProbs.set(topLogProbs.subarray(entryOffsets[at], end), keptOffsets[at]);
  }
  return { ...knowledge, entryOffsets: keptOffsets, topIds: keptIds, topLogProbs: keptLogProbs, tailMass };
}
