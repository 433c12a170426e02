import { artefactKeys } from "../contracts/keys.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import type { WorkerDependencies } from "./dependencies.ts";
import { extractKnowledge } from "./extract-knowledge.ts";
import { JobOutputs } from "./job-outputs.ts";
import { ADAPTER, adapterAfterRound } from "./party-outputs.ts";
import { loadPublicSet } from "./public-set.ts";
import { loadSelectedKnowledge } from "./selected-knowledge.ts";
import { trainOnPublic } from "./train-party.ts";
import { withJob } from "./with-job.ts";

/** The server learns from the clients that were better than it, sample by sample, and shows what it knows now. */
export function serverDistil(deps: WorkerDependencies) {
  return ({ run, round, party }: StageInput<"server-distil">): Promise<StageOutput<"server-distil">> => {
    const identity = { run, round, stage: "server-distil", party };
    const folder = artefactKeys.job(run, round, identity.stage, party);
    return withJob(
      deps,
      identity,
      folder,
      (plan) => adapterAfterRound(plan, round - 1, party),
      async (plan, open) => {
        const samples = await loadPublicSet(deps, plan);
        const knowledge = await loadSelectedKnowledge(deps, plan, round, party, samples);
        const outcome = await trainOnPublic(deps, plan, open, samples, identity, knowledge);
        const outputs = new JobOutputs(deps, identity, folder);
        await outputs.write(ADAPTER, await open.model.adapter());
        const extracted = await extractKnowledge(deps, plan, open, samples, identity, outputs);
        return outputs.commit({ ...outcome, ...extracted });
      },
    );
  };
}
