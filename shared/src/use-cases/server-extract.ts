import { extractKnowledge } from "./extract-knowledge.ts";
import { adapterBeforeRound } from "./party-outputs.ts";
import { loadPublicSet } from "./public-set.ts";
import { partyStage } from "./with-job.ts";

/** The server model's own knowledge before its first distillation; afterwards server-distil extracts it itself. */
export const serverExtract = partyStage("server-extract", adapterBeforeRound, async (job) => ({
  metrics: await extractKnowledge(job, await loadPublicSet(job.deps, job.plan)),
}));
