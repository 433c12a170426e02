import { encodeJson } from "../contracts/json-document.ts";
import { artefactKeys } from "../contracts/keys.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import type { WorkerDependencies } from "./dependencies.ts";
import { JobOutputs } from "./job-outputs.ts";
import { adapterAfterRound, SCORES } from "./party-outputs.ts";
import { scoreParty } from "./score-party.ts";
import { withJob } from "./with-job.ts";

/** Scores a party as the round left it. */
export function evaluate(deps: WorkerDependencies) {
  return ({ run, round, party }: StageInput<"evaluate">): Promise<StageOutput<"evaluate">> => {
    const identity = { run, round, stage: "evaluate", party };
    const folder = artefactKeys.job(run, round, identity.stage, party);
    return withJob(
      deps,
      identity,
      folder,
      (plan) => adapterAfterRound(plan, round, party),
      async (plan, open) => {
        const scores = await scoreParty(deps, plan, open, identity, "fedmkt");
        const outputs = new JobOutputs(deps, identity, folder);
        await outputs.write(SCORES, encodeJson(scores));
        return outputs.commit({ sets: scores.length });
      },
    );
  };
}
