import type { EncodedText } from "../core/alignment/encode-sample.ts";
import type { Knowledge } from "../core/knowledge.ts";
import type { Sample } from "../core/samples/sample.ts";
import { cutAtMass } from "../core/top-p.ts";
import { cutAtPerplexity } from "../core/top-perplexity.ts";
import { type ShardEncoding, type ShardHeader, writeKnowledgeShard } from "../formats/knowledge-shard.ts";
import type { TokenizedModel } from "./open-model.ts";

export interface ShardExtraction {
  samplesPerShard: number;
  /** K; the whole vocabulary where that is smaller */
  topK: number;
  /** of these no more than it takes for their mass to reach this; 1: all */
  topP: number;
  /** and no more than so many times exp(entropy); undefined: no such limit */
  topPerplexity?: number | undefined;
  encoding: ShardEncoding;
  /** samples in one forward pass */
  batchSize: number;
  /** "all": the prompt's positions too; the loss stays the answer's */
  positions: "answer" | "all";
  header: Omit<ShardHeader, "shard" | "topK" | "topP" | "topPerplexity" | "vocabularySize">;
  /** is given one shard after the other, and awaited before the next is begun */
  write(shard: number, bytes: Uint8Array): Promise<void>;
}

/**
 * Writes a model's knowledge of samples, one shard at a time, so that memory is bounded by a shard.
 * @returns the samples' loss, nats and bytes summed
 * @throws InvalidInputError `SHARD_TOO_LARGE`; what encoding a sample throws
 */
export async function extractShards(
  open: TokenizedModel,
  samples: readonly Sample[],
  { header, write, samplesPerShard, encoding, topP, topPerplexity, ...extraction }: ShardExtraction,
): Promise<{ nats: number; bytes: number; knowledgeBytes: number }> {
  const { vocabularySize } = open.model;
  let nats = 0;
  let bytes = 0;
  let knowledgeBytes = 0;
  for (let shard = 0; shard * samplesPerShard < samples.length; shard++) {
    const slice = samples.slice(shard * samplesPerShard, (shard + 1) * samplesPerShard);
    const known = cutAtPerplexity(await knowledgeOf(open, slice, extraction), topPerplexity);
    const knowledge = cutAtMass(known, topP);
    const topK = Math.min(extraction.topK, vocabularySize);
    const cut = { topK, topP, ...(topPerplexity !== undefined && { topPerplexity }) };
    const content = writeKnowledgeShard(knowledge, { ...header, shard, vocabularySize, ...cut }, encoding);
    await write(shard, content);
    nats += knowledge.lossNats.reduce((sum, loss) => sum + loss, 0);
    bytes += knowledge.answerBytes.reduce((sum, count) => sum + count, 0);
    knowledgeBytes += content.length;
  }
  return { nats, bytes, knowledgeBytes };
}

/** The sample as if its prompt were to be answered too: every position after BOS predicts. Its own loss then takes a second pass. */
function wholly(text: EncodedText): EncodedText {
  return { ...text, answer: new Uint8Array(text.ids.length).fill(1, 1) };
}

function answersOf({ answer }: EncodedText): number {
  return answer.reduce((sum, flag) => sum + flag, 0);
}

async function knowledgeOf(
  { model, encodeScored }: TokenizedModel,
  samples: readonly Sample[],
  { topK, batchSize, positions: wanted }: Pick<ShardExtraction, "topK" | "batchSize" | "positions">,
): Promise<Knowledge> {
  const texts = samples.map(encodeScored);
  const encoded = wanted === "all" ? texts.map(wholly) : texts;
  const kept = Math.min(topK, model.vocabularySize);
  const tokenOffsets = offsetsOf(encoded.map((text) => text.ids.length));
  const positionOffsets = offsetsOf(encoded.map(answersOf));
  const tokens = tokenOffsets[samples.length];
  const positions = positionOffsets[samples.length];
  const knowledge: Knowledge = {
    sampleIds: new Uint8Array(samples.length * 16),
    lossNats: new Float64Array(samples.length),
    answerBytes: Int32Array.from(encoded, (text) => text.answerBytes),
    answerPositions: Int32Array.from(texts, answersOf),
    tokenOffsets,
    tokenIds: new Int32Array(tokens),
    tokenEnds: new Int32Array(tokens),
    positionOffsets,
    positions: new Int32Array(positions),
    entryOffsets: Int32Array.from({ length: positions + 1 }, (_, position) => position * kept),
    topIds: new Int32Array(positions * kept),
    topLogProbs: new Float32Array(positions * kept),
    tailMass: new Float32Array(positions),
  };
  encoded.forEach((text, index) => {
    knowledge.sampleIds.set(samples[index].id, index * 16);
    knowledge.tokenIds.set(text.ids, tokenOffsets[index]);
    knowledge.tokenEnds.set(text.ends, tokenOffsets[index]);
  });
  let index = 0;
  for await (const known of model.extract(encoded, kept, batchSize)) {
    const start = positionOffsets[index];
    knowledge.lossNats[index] = known.lossNats;
    knowledge.positions.set(known.positions, start);
    knowledge.topIds.set(known.topIds, start * kept);
    knowledge.topLogProbs.set(known.topLogProbs, start * kept);
    for (let position = 0; position < known.positions.length; position++) {
      let mass = 0;
      for (let k = 0; k < kept; k++) mass += Math.exp(known.topLogProbs[position * kept + k]);
      knowledge.tailMass[start + position] = Math.min(1, Math.max(0, 1 - mass));
    }
    index++;
  }
  // with positions of a prompt the loss just found is prompt's and answer's together
  const prompted = [...texts.keys()].filter((at) => answersOf(texts[at]) < answersOf(encoded[at]));
  if (prompted.length === 0) return knowledge;
  const prompts = prompted.map((at) => texts[at]);
  for (const [place, nats] of (await model.score(prompts, batchSize)).entries())
    knowledge.lossNats[prompted[place]] = nats;
  return knowledge;
}

function offsetsOf(lengths: readonly number[]): Int32Array {
  const offsets = new Int32Array(lengths.length + 1);
  lengths.forEach((length, index) => {
    offsets[index + 1] = offsets[index] + length;
  });
  return offsets;
}
