import type { Knowledge } from "./knowledge.ts";

/**
 * Keeps each position's likeliest entries, and gives what is cut off to the tail.
 *
 * @param counts - [P] how many are kept, from 1 to as many as there are
 */
export function cutEntries(knowledge: Knowledge, counts: Int32Array): Knowledge {
  const { positions, entryOffsets, topIds, topLogProbs } = knowledge;
  const keptOffsets = new Int32Array(positions.length + 1);
  for (let at = 0; at < positions.length; at++) keptOffsets[at + 1] = keptOffsets[at] + counts[at];
  const tailMass = new Float32Array(positions.length);
  const keptIds = new Int32Array(keptOffsets[positions.length]);
  const keptLogProbs = new Float32Array(keptIds.length);
  for (let at = 0; at < positions.length; at++) {
    const kept = topLogProbs.subarray(entryOffsets[at], entryOffsets[at] + counts[at]);
    const mass = kept.reduce((sum, logProb) => sum + Math.exp(logProb), 0);
    tailMass[at] = Math.min(1, Math.max(0, 1 - mass));
    keptIds.set(topIds.subarray(entryOffsets[at], entryOffsets[at] + counts[at]), keptOffsets[at]);
    keptLogProbs.set(kept, keptOffsets[at]);
  }
  return { ...knowledge, entryOffsets: keptOffsets, topIds: keptIds, topLogProbs: keptLogProbs, tailMass };
}
