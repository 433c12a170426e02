import type { Knowledge } from "../../core/knowledge.ts";
import { SAMPLE_ID_BYTES } from "../../core/samples/sample.ts";
import type { Refuse } from "../named-tensors.ts";
import { KnowledgeCodec, newKnowledgeModels } from "./knowledge-codec.ts";
import { RangeDecoder, RangeEncoder } from "./range-coder.ts";

/** S, T, P and E, 32 bits each; then sample ids and losses as they are, then all else coded: docs/shards.md. */
const COUNT_BYTES = 16;
const LOSS_BYTES = 8;

/** What {@link unpackKnowledge} gives: also each position's shift, by which its tolerance is known. */
export interface Unpacked {
  knowledge: Knowledge;
  /** [P] */
  shifts: Int32Array;
}

/** Bytes of the same knowledge as plain tensors: what reading or writing it takes. */
export function plainBytes(samples: number, tokens: number, positions: number, entries: number): number {
  return samples * (SAMPLE_ID_BYTES + LOSS_BYTES + 4 * 4) + 8 + tokens * 8 + positions * 12 + 4 + entries * 8;
}

/**
 * Codes knowledge that {@link checkKnowledge} accepts. Log-probabilities and tails are rounded; all else is kept, but that
 * entries of one rounded log-probability are ordered by id.
 *
 * Time O(T + E); memory a quarter of the plain size, and 52 bytes for each token of the vocabulary, rounded up to a power of 2.
 */
export function packKnowledge(knowledge: Knowledge, vocabularySize: number, refuse: Refuse): Uint8Array {
  const { sampleIds, lossNats, tokenIds, positions, topIds } = knowledge;
  const encoder = new RangeEncoder(newKnowledgeModels(vocabularySize));
  new KnowledgeCodec(encoder, knowledge, vocabularySize).write(refuse);
  const coded = encoder.finish();
  const losses = COUNT_BYTES + sampleIds.length;
  const payload = new Uint8Array(losses + LOSS_BYTES * lossNats.length + coded.length);
  const view = new DataView(payload.buffer);
  [lossNats.length, tokenIds.length, positions.length, topIds.length].forEach((count, at) => {
    view.setUint32(4 * at, count, true);
  });
  payload.set(sampleIds, COUNT_BYTES);
  lossNats.forEach((loss, sample) => {
    view.setFloat64(losses + LOSS_BYTES * sample, loss, true);
  });
  payload.set(coded, losses + LOSS_BYTES * lossNats.length);
  return payload;
}

/**
 * Reads what {@link packKnowledge} wrote, or whatever else it is given: it believes no count before it has compared it, and
 * gives knowledge that {@link checkKnowledge} has yet to look at.
 *
 * @param limits - mostBytes: of the knowledge as plain tensors; topK: the most entries at a position
 */
export function unpackKnowledge(
  payload: Uint8Array,
  { vocabularySize, topK, mostBytes }: { vocabularySize: number; topK: number; mostBytes: number },
  refuse: Refuse,
): Unpacked {
  if (payload.length < COUNT_BYTES)
    throw refuse(`expected at least ${COUNT_BYTES} packed bytes, got ${payload.length}`);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const [samples, tokens, positions, entries] = [0, 1, 2, 3].map((at) => view.getUint32(4 * at, true));
  const unpacked = plainBytes(samples, tokens, positions, entries);
  if (unpacked > mostBytes)
    throw refuse(`expected knowledge of at most ${mostBytes} bytes when unpacked, got ${unpacked}`);
  const losses = COUNT_BYTES + samples * SAMPLE_ID_BYTES;
  const coded = losses + samples * LOSS_BYTES;
  if (payload.length < coded)
    throw refuse(`expected ${coded} packed bytes for the ids and losses of ${samples} samples, got ${payload.length}`);
  const knowledge: Knowledge = {
    sampleIds: payload.slice(COUNT_BYTES, losses),
    lossNats: Float64Array.from({ length: samples }, (_, sample) =>
      view.getFloat64(losses + LOSS_BYTES * sample, true),
    ),
    answerBytes: new Int32Array(samples),
    answerPositions: new Int32Array(samples),
    tokenOffsets: new Int32Array(samples + 1),
    tokenIds: new Int32Array(tokens),
    tokenEnds: new Int32Array(tokens),
    positionOffsets: new Int32Array(samples + 1),
    positions: new Int32Array(positions),
    entryOffsets: new Int32Array(positions + 1),
    topIds: new Int32Array(entries),
    topLogProbs: new Float32Array(entries),
    tailMass: new Float32Array(positions),
  };
  const decoder = new RangeDecoder(newKnowledgeModels(vocabularySize), payload.subarray(coded));
  const codec = new KnowledgeCodec(decoder, knowledge, vocabularySize);
  codec.read(topK, () => decoder.excess, refuse);
  if (decoder.excess !== 0)
    throw refuse(`expected the packed bytes to end with the last position, ${describeExcess(decoder.excess)}`);
  return { knowledge, shifts: codec.shifts };
}

function describeExcess(excess: number): string {
  return excess < 0 ? `got ${-excess} too many` : `${excess} are missing`;
}
