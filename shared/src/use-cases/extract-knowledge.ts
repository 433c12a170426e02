import type { Sample } from "../core/samples/sample.ts";
import { sha256 } from "../formats/sha256.ts";
import { extractShards } from "./extract-shards.ts";
import { partyOf } from "./load-plan.ts";
import { knowledgeName } from "./party-outputs.ts";
import type { RunningJob } from "./with-job.ts";

/** Writes a party's knowledge on the public set. @returns the public set's loss, nats and bytes summed */
export async function extractKnowledge(
  { deps, plan, identity, open, outputs }: RunningJob,
  samples: readonly Sample[],
): Promise<{ publicNats: number; publicBytes: number; knowledgeBytes: number }> {
  const planned = partyOf(plan, open.party);
  const { nats, bytes, knowledgeBytes } = await extractShards(open, samples, {
    samplesPerShard: plan.spec.samplesPerShard,
    topK: plan.spec.distillation.topK,
    topP: plan.spec.distillation.topP,
    topPerplexity: plan.spec.distillation.topPerplexity,
    encoding: plan.spec.shardEncoding,
    batchSize: open.training.batchSize,
    positions: plan.spec.distillation.positions,
    header: {
      run: plan.run,
      round: identity.round,
      party: open.party,
      modelHash: sha256(`${planned.configHash} ${planned.weightsFingerprint}`),
      tokenizerHash: planned.tokenizerHash,
      datasetHash: plan.public.hash,
    },
    write: async (shard, content) => {
      await outputs.write(knowledgeName(shard), content);
      deps.progress({ ...identity, phase: "extracting", step: shard + 1, steps: plan.public.shards });
    },
  });
  return { publicNats: nats, publicBytes: bytes, knowledgeBytes };
}
