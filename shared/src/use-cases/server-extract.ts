import { artefactKeys } from "../contracts/keys.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import type { WorkerDependencies } from "./dependencies.ts";
import { extractKnowledge } from "./extract-knowledge.ts";
import { JobOutputs } from "./job-outputs.ts";
import { adapterAfterRound } from "./party-outputs.ts";
import { loadPublicSet } from "./public-set.ts";
import { withJob } from "./with-job.ts";

/** The server model's own knowledge before its first distillation; afterwards server-distil extracts it itself. */
export function serverExtract(deps: WorkerDependencies) {
  return ({ run, round, party }: StageInput<"server-extract">): Promise<StageOutput<"server-extract">> => {
    const identity = { run, round, stage: "server-extract", party };
    const folder = artefactKeys.job(run, round, identity.stage, party);
    return withJob(
      deps,
      identity,
      folder,
      (plan) => adapterAfterRound(plan, round - 1, party),
      async (plan, open) => {
        const outputs = new JobOutputs(deps, identity, folder);
        return outputs.commit({
          ...(await extractKnowledge(deps, plan, open, await loadPublicSet(deps, plan), identity, outputs)),
        });
      },
    );
  };
}
