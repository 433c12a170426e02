import type { AlignedKnowledge, Knowledge } from "../knowledge.ts";

/** What positions of a target learn, whoever says it. */
export type TaughtKnowledge = Omit<AlignedKnowledge, "statistics">;

/**
 * A target's own knowledge in the form in which others' is taught: where it wins a sample under `greater`, and its part of a
 * mixture under `weighted-mean`.
 *
 * @param transfer - `product` keeps the tail, tempered as if it were one token; `paper` and `fate` renormalise what was kept
 *
 * Time O(E log K), memory O(E).
 */
export function ownKnowledge(
  knowledge: Knowledge,
  transfer: "product" | "paper" | "fate",
  temperature: number,
): TaughtKnowledge {
  const { entryOffsets, topIds, topLogProbs, tailMass } = knowledge;
  const entries = topIds.slice();
  const probabilities = new Float32Array(topIds.length);
  const tail = new Float32Array(tailMass.length);
  for (let position = 0; position < tail.length; position++) {
    const [begin, end] = [entryOffsets[position], entryOffsets[position + 1]];
    const tailLog = transfer === "product" ? Math.log(tailMass[position]) : Number.NEGATIVE_INFINITY;
    // relative to the likeliest, so that no temperature makes everything vanish
    const peak = Math.max(topLogProbs[begin], tailLog);
    const temper = (log: number) => Math.exp((log - peak) / temperature);
    const byId = Array.from({ length: end - begin }, (_, index) => begin + index).sort((a, b) => topIds[a] - topIds[b]);
    const total = byId.reduce((sum, entry) => sum + temper(topLogProbs[entry]), temper(tailLog));
    byId.forEach((entry, index) => {
      entries[begin + index] = topIds[entry];
      probabilities[begin + index] = temper(topLogProbs[entry]) / total;
    });
    tail[position] = temper(tailLog) / total;
  }
  const { sampleIds, positionOffsets, positions } = knowledge;
  return { sampleIds, positionOffsets, positions, entryOffsets, entries, probabilities, tail };
}
