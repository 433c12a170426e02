import type { Knowledge } from "../core/knowledge.ts";
import type { Sample } from "../core/samples/sample.ts";
import { writeKnowledgeShard } from "../formats/knowledge-shard.ts";
import { sha256 } from "../formats/sha256.ts";
import { partyOf } from "./load-plan.ts";
import type { OpenParty } from "./open-party.ts";
import { knowledgeName } from "./party-outputs.ts";
import type { RunningJob } from "./with-job.ts";

/**
 * Writes a party's knowledge on the public set, one shard at a time, so that memory is bounded by a shard.
 * @returns the public set's loss, nats and bytes summed
 */
export async function extractKnowledge(
  { deps, plan, identity, open, outputs }: RunningJob,
  samples: readonly Sample[],
): Promise<{ publicNats: number; publicBytes: number; knowledgeBytes: number }> {
  const { samplesPerShard, distillation } = plan.spec;
  const planned = partyOf(plan, open.party);
  let publicNats = 0;
  let publicBytes = 0;
  let knowledgeBytes = 0;
  for (let shard = 0; shard < plan.public.shards; shard++) {
    const slice = samples.slice(shard * samplesPerShard, (shard + 1) * samplesPerShard);
    const knowledge = await knowledgeOf(open, slice, distillation.topK);
    const bytes = writeKnowledgeShard(knowledge, {
      run: plan.run,
      round: identity.round,
      party: open.party,
      shard,
      modelHash: sha256(`${planned.configHash} ${planned.weightsFingerprint}`),
      tokenizerHash: planned.tokenizerHash,
      datasetHash: plan.public.hash,
      vocabularySize: planned.vocabularySize,
      topK: knowledge.topK,
    });
    await outputs.write(knowledgeName(shard), bytes);
    publicNats += knowledge.lossNats.reduce((sum, nats) => sum + nats, 0);
    publicBytes += knowledge.answerBytes.reduce((sum, count) => sum + count, 0);
    knowledgeBytes += bytes.length;
    deps.progress({ ...identity, phase: "extracting", step: shard + 1, steps: plan.public.shards });
  }
  return { publicNats, publicBytes, knowledgeBytes };
}

async function knowledgeOf(open: OpenParty, samples: readonly Sample[], topK: number): Promise<Knowledge> {
  const encoded = samples.map(open.encodeScored);
  const kept = Math.min(topK, open.model.vocabularySize);
  const tokenOffsets = offsetsOf(encoded.map((text) => text.ids.length));
  const positionCounts = encoded.map((text) => text.answer.reduce((sum, flag) => sum + flag, 0));
  const positionOffsets = offsetsOf(positionCounts);
  const tokens = tokenOffsets[samples.length];
  const positions = positionOffsets[samples.length];
  const knowledge: Knowledge = {
    sampleIds: new Uint8Array(samples.length * 16),
    lossNats: new Float64Array(samples.length),
    answerBytes: Int32Array.from(encoded, (text) => text.answerBytes),
    tokenOffsets,
    tokenIds: new Int32Array(tokens),
    tokenEnds: new Int32Array(tokens),
    positionOffsets,
    positions: new Int32Array(positions),
    topK: kept,
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
  for await (const known of open.model.extract(encoded, kept, open.training.batchSize)) {
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
  return knowledge;
}

function offsetsOf(lengths: readonly number[]): Int32Array {
  const offsets = new Int32Array(lengths.length + 1);
  lengths.forEach((length, index) => {
    offsets[index + 1] = offsets[index] + length;
  });
  return offsets;
}
