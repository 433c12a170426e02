import type { Knowledge } from "@fedmkt/shared/core/knowledge.ts";

/** What a shard's entries say of the model behind it. P positions. */
export interface KnowledgeStatistics {
  /** [P] entries kept */
  entries: Int32Array;
  /** [P] bits, the tail counted as one token: at most the model's own entropy */
  entropyBits: Float64Array;
  /** [answer positions] where the answer's token stands among the entries, from 1; 0 where it was cut off */
  answerRanks: Int32Array;
  /** [vocabulary size] at how many positions a token is kept, and with how much mass in all */
  positionsOfToken: Int32Array;
  massOfToken: Float64Array;
}

/** Time and memory O(entries + vocabularySize). */
export function measureKnowledge(knowledge: Knowledge, vocabularySize: number): KnowledgeStatistics {
  const { positions, positionOffsets, answerPositions, entryOffsets, topIds, topLogProbs, tailMass } = knowledge;
  const statistics: KnowledgeStatistics = {
    entries: Int32Array.from(positions, (_, at) => entryOffsets[at + 1] - entryOffsets[at]),
    entropyBits: new Float64Array(positions.length),
    answerRanks: new Int32Array(answerPositions.reduce((sum, count) => sum + count, 0)),
    positionsOfToken: new Int32Array(vocabularySize),
    massOfToken: new Float64Array(vocabularySize),
  };
  positions.forEach((_, at) => {
    let bits = surprise(tailMass[at]);
    for (let entry = entryOffsets[at]; entry < entryOffsets[at + 1]; entry++) {
      const probability = Math.exp(topLogProbs[entry]);
      bits += surprise(probability);
      statistics.positionsOfToken[topIds[entry]]++;
      statistics.massOfToken[topIds[entry]] += probability;
    }
    statistics.entropyBits[at] = bits;
  });
  let answer = 0;
  answerPositions.forEach((count, sample) => {
    const end = positionOffsets[sample + 1];
    for (let at = end - count; at < end; at++) statistics.answerRanks[answer++] = rankOfNext(knowledge, sample, at);
  });
  return statistics;
}

/** Where the token that follows a position stands among its entries, from 1; 0 where it is not kept. */
export function rankOfNext(knowledge: Knowledge, sample: number, at: number): number {
  const { tokenOffsets, tokenIds, positions, entryOffsets, topIds } = knowledge;
  const next = tokenIds[tokenOffsets[sample] + positions[at] + 1];
  return topIds.subarray(entryOffsets[at], entryOffsets[at + 1]).indexOf(next) + 1;
}

/** −p log₂ p. */
function surprise(probability: number): number {
  return probability > 0 ? -probability * Math.log2(probability) : 0;
}
