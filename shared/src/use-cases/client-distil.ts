import { artefactKeys } from "../contracts/keys.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import type { WorkerDependencies } from "./dependencies.ts";
import { JobOutputs } from "./job-outputs.ts";
import { ADAPTER } from "./party-outputs.ts";
import { loadPublicSet } from "./public-set.ts";
import { loadSelectedKnowledge } from "./selected-knowledge.ts";
import { trainOnPublic } from "./train-party.ts";
import { withJob } from "./with-job.ts";

/** A client learns from the server where the server was better, on top of what client-train gave it. */
export function clientDistil(deps: WorkerDependencies) {
  return ({ run, round, party }: StageInput<"client-distil">): Promise<StageOutput<"client-distil">> => {
    const identity = { run, round, stage: "client-distil", party };
    const folder = artefactKeys.job(run, round, identity.stage, party);
    const trained = artefactKeys.job(run, round, "client-train", party);
    return withJob(
      deps,
      identity,
      folder,
      () => trained,
      async (plan, open) => {
        const samples = await loadPublicSet(deps, plan);
        const knowledge = await loadSelectedKnowledge(deps, plan, round, party, samples);
        const outcome = await trainOnPublic(deps, plan, open, samples, identity, knowledge);
        const outputs = new JobOutputs(deps, identity, folder);
        await outputs.write(ADAPTER, await open.model.adapter());
        return outputs.commit({ ...outcome });
      },
    );
  };
}
