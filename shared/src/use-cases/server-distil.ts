import { extractKnowledge } from "./extract-knowledge.ts";
import { ADAPTER, adapterBeforeRound } from "./party-outputs.ts";
import { loadPublicSet } from "./public-set.ts";
import { loadSelectedKnowledge } from "./selected-knowledge.ts";
import { trainOnPublic } from "./train-party.ts";
import { partyStage } from "./with-job.ts";

/** The server learns from the clients that were better than it, sample by sample, and shows what it knows now. */
export const serverDistil = partyStage("server-distil", adapterBeforeRound, async (job) => {
  const samples = await loadPublicSet(job.deps, job.plan);
  const outcome = await trainOnPublic(job, samples, await loadSelectedKnowledge(job, samples));
  await job.outputs.write(ADAPTER, await job.open.model.adapter());
  return { metrics: { ...outcome, ...(await extractKnowledge(job, samples)) } };
});
