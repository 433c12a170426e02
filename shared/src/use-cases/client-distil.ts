import { artefactKeys } from "../contracts/keys.ts";
import { ADAPTER } from "./party-outputs.ts";
import { loadPublicSet } from "./public-set.ts";
import { loadSelectedKnowledge } from "./selected-knowledge.ts";
import { trainOnPublic } from "./train-party.ts";
import { partyStage } from "./with-job.ts";

/** A client learns from the server where the server was better, on top of what client-train gave it. */
export const clientDistil = partyStage(
  "client-distil",
  (_, { run, round, party }) => artefactKeys.job(run, round, "client-train", party),
  async (job) => {
    const samples = await loadPublicSet(job.deps, job.plan);
    const outcome = await trainOnPublic(job, samples, await loadSelectedKnowledge(job, samples));
    await job.outputs.write(ADAPTER, await job.open.model.adapter());
    return { metrics: { ...outcome } };
  },
);
