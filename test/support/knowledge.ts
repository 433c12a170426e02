import type { Knowledge } from "../../shared/src/core/knowledge.ts";
import type { ShardHeader } from "../../shared/src/formats/knowledge-shard.ts";

export const shardHeader: ShardHeader = {
  run: "quickstart",
  round: 1,
  party: "harbour",
  shard: 3,
  modelHash: "1".repeat(64),
  tokenizerHash: "2".repeat(64),
  datasetHash: "3".repeat(64),
  vocabularySize: 16,
  topK: 4,
  topP: 1,
};

/**
 * Valid knowledge out of one number after another: every logit, token and length is taken from `numbers`, round and round.
 * Losses, tails and order are computed from the logits, as an engine would.
 *
 * @param tokensOfSample - tokens of each sample, BOS included, at least 2; all but the first are answer tokens
 */
export function makeKnowledge(
  tokensOfSample: readonly number[],
  numbers: readonly number[],
  { vocabularySize, topK }: { vocabularySize: number; topK: number } = shardHeader,
): Knowledge {
  let taken = 0;
  const next = () => numbers[taken++ % numbers.length];
  const tokenOffsets = offsetsOf(tokensOfSample);
  const positionOffsets = offsetsOf(tokensOfSample.map((tokens) => tokens - 1));
  const tokens = tokenOffsets[tokensOfSample.length];
  const positions = positionOffsets[tokensOfSample.length];
  const knowledge: Knowledge = {
    sampleIds: new Uint8Array(tokensOfSample.length * 16),
    lossNats: new Float64Array(tokensOfSample.length),
    answerBytes: Int32Array.from(tokensOfSample, (count) => count - 1),
    answerPositions: Int32Array.from(tokensOfSample, (count) => count - 1),
    tokenOffsets,
    tokenIds: Int32Array.from({ length: tokens }, () => Math.floor(Math.abs(next()) * 997) % vocabularySize),
    tokenEnds: new Int32Array(tokens),
    positionOffsets,
    positions: new Int32Array(positions),
    entryOffsets: Int32Array.from({ length: positions + 1 }, (_, at) => at * topK),
    topIds: new Int32Array(positions * topK),
    topLogProbs: new Float32Array(positions * topK),
    tailMass: new Float32Array(positions),
  };
  tokensOfSample.forEach((count, sample) => {
    new DataView(knowledge.sampleIds.buffer).setUint32(sample * 16, sample + 1);
    for (let token = 0; token < count; token++) knowledge.tokenEnds[tokenOffsets[sample] + token] = token;
    for (let position = 0; position < count - 1; position++) {
      const at = positionOffsets[sample] + position;
      const logits = Array.from({ length: vocabularySize }, (_, id) => next() + (id % 3));
      const largest = Math.max(...logits);
      const logSum = largest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
      const order = logits.map((_, id) => id).sort((a, b) => logits[b] - logits[a] || a - b);
      let mass = 0;
      for (let k = 0; k < topK; k++) {
        knowledge.topIds[at * topK + k] = order[k];
        knowledge.topLogProbs[at * topK + k] = logits[order[k]] - logSum;
        mass += Math.exp(logits[order[k]] - logSum);
      }
      knowledge.tailMass[at] = Math.min(1, Math.max(0, 1 - mass));
      knowledge.positions[at] = position;
      knowledge.lossNats[sample] += logSum - logits[knowledge.tokenIds[tokenOffsets[sample] + position + 1]];
    }
  });
  return knowledge;
}

function offsetsOf(lengths: readonly number[]): Int32Array {
  const offsets = new Int32Array(lengths.length + 1);
  lengths.forEach((length, index) => {
    offsets[index + 1] = offsets[index] + length;
  });
  return offsets;
}
