import type { Knowledge } from "../core/knowledge.ts";
import { SAMPLE_ID_BYTES } from "../core/samples/sample.ts";
import { checkOffsets, checkSampleIds, type Refuse } from "./named-tensors.ts";

/** How far above 0 a log-probability may lie: single precision, a subtraction of logits of some hundred. */
const LOG_PROBABILITY_TOLERANCE = 1e-4;
/** How far from 1 a position's probabilities and tail may sum: single precision, up to 4,096 terms. */
export const MASS_TOLERANCE = 1e-3;

/**
 * Checks what shapes cannot say of {@link Knowledge}: order, ranges, finite numbers, probabilities that sum to 1.
 *
 * @param limits - vocabularySize: ids are below it; topK: the most entries at a position
 * @param refuse - makes the error; its reason names sample (index in the shard) and position (token index in the sample)
 *
 * Time O(T + E); memory O(vocabularySize).
 */
export function checkKnowledge(
  knowledge: Knowledge,
  { vocabularySize, topK }: { vocabularySize: number; topK: number },
  refuse: Refuse,
): void {
  const { sampleIds, tokenOffsets, tokenIds, positionOffsets, positions, entryOffsets, topIds } = knowledge;
  checkSampleIds(sampleIds, refuse);
  checkOffsets(tokenOffsets, tokenIds.length, "tokenOffsets", refuse);
  checkOffsets(positionOffsets, positions.length, "positionOffsets", refuse);
  checkOffsets(entryOffsets, topIds.length, "entryOffsets", refuse);
  const seenAt = new Int32Array(vocabularySize).fill(-1);
  const samples = sampleIds.length / SAMPLE_ID_BYTES;
  for (let sample = 0; sample < samples; sample++) {
    const refuseSample: Refuse = (reason) => refuse(`sample ${sample}${reason}`);
    checkSample(knowledge, sample, vocabularySize, refuseSample);
    const begin = positionOffsets[sample];
    const count = positionOffsets[sample + 1] - begin;
    const answers = knowledge.answerPositions[sample];
    if (answers < 1 || answers > count)
      throw refuseSample(`: expected from 1 to ${count} answer positions, as there are positions, got ${answers}`);
    const tokens = tokenOffsets[sample + 1] - tokenOffsets[sample];
    for (let at = begin; at < positionOffsets[sample + 1]; at++) {
      const position = positions[at];
      if (position < 0 || position > tokens - 2)
        throw refuseSample(
          `, positions[${at - begin}]: expected a token index from 0 to ${tokens - 2}, got ${position}`,
        );
      if (at > begin && position <= positions[at - 1])
        throw refuseSample(`, positions[${at - begin}]: expected more than ${positions[at - 1]}, got ${position}`);
      const refusePosition: Refuse = (reason) => refuseSample(`, position ${position}: ${reason}`);
      const entries = entryOffsets[at + 1] - entryOffsets[at];
      if (entries < 1 || entries > topK) throw refusePosition(`expected from 1 to ${topK} entries, got ${entries}`);
      checkDistribution(knowledge, at, seenAt, refusePosition);
    }
  }
}

function checkSample(knowledge: Knowledge, sample: number, vocabularySize: number, refuse: Refuse): void {
  const { lossNats, answerBytes, tokenOffsets, tokenIds, tokenEnds } = knowledge;
  if (!(lossNats[sample] >= 0 && lossNats[sample] < Infinity))
    throw refuse(`: expected a finite loss ≥ 0 nats, got ${lossNats[sample]}`);
  if (answerBytes[sample] <= 0) throw refuse(`: expected answer bytes > 0, got ${answerBytes[sample]}`);
  const begin = tokenOffsets[sample];
  for (let at = begin; at < tokenOffsets[sample + 1]; at++) {
    const id = tokenIds[at];
    if (id < 0 || id >= vocabularySize)
      throw refuse(`, token ${at - begin}: expected an id from 0 to ${vocabularySize - 1}, got ${id}`);
    const least = at > begin ? tokenEnds[at - 1] : -1;
    if (tokenEnds[at] < least)
      throw refuse(`, token ${at - begin}: expected its text to end at ${least} or later, got ${tokenEnds[at]}`);
  }
}

function checkDistribution(knowledge: Knowledge, at: number, seenAt: Int32Array, refuse: Refuse): void {
  const { entryOffsets, topIds, topLogProbs, tailMass } = knowledge;
  const first = entryOffsets[at];
  let mass = 0;
  let before = LOG_PROBABILITY_TOLERANCE;
  for (let entry = first; entry < entryOffsets[at + 1]; entry++) {
    const id = topIds[entry];
    if (id < 0 || id >= seenAt.length) throw refuse(`expected top-K ids from 0 to ${seenAt.length - 1}, got ${id}`);
    if (seenAt[id] === at) throw refuse(`token ${id} occurs twice among the top-K`);
    seenAt[id] = at;
    const logProbability = topLogProbs[entry];
    if (!Number.isFinite(logProbability)) throw refuse(`log-probability is ${logProbability}`);
    if (logProbability > before)
      throw refuse(
        entry === first
          ? `expected log-probabilities of at most 0, got ${logProbability}`
          : `expected log-probabilities to descend, got ${logProbability} after ${before}`,
      );
    before = logProbability;
    mass += Math.exp(logProbability);
  }
  const tail = tailMass[at];
  if (!(tail >= 0 && tail <= 1)) throw refuse(`expected a tail mass from 0 to 1, got ${tail}`);
  if (Math.abs(mass + tail - 1) > MASS_TOLERANCE)
    throw refuse(`expected top-K and tail to sum to 1, got ${mass} + ${tail} = ${mass + tail}`);
}
