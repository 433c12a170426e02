import { encodeJson } from "../contracts/json-document.ts";
import { artefactKeys } from "../contracts/keys.ts";
import type { ProgressEvent } from "../contracts/progress.ts";
import type { Baseline } from "../contracts/run-spec.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import type { WorkerDependencies } from "./dependencies.ts";
import { JobOutputs } from "./job-outputs.ts";
import { ADAPTER, SCORES } from "./party-outputs.ts";
import { readSampleSet } from "./prepare-samples.ts";
import { loadPublicSet } from "./public-set.ts";
import { scoreParty } from "./score-party.ts";
import { trainOnPrivate, trainOnPublic } from "./train-party.ts";
import { withJob } from "./with-job.ts";

/** What each baseline trains on, round by round: the same data, order, epochs and optimizer as the run, without transfer. */
const TRAINS_ON: Record<Baseline, { private: boolean; public: boolean }> = {
  "zero-shot": { private: false, public: false },
  standalone: { private: true, public: false },
  "standalone+public": { private: true, public: true },
  "public-only": { private: false, public: true },
};

/** One baseline of one party, all rounds in one job, scored at the end. */
export function runBaseline(given: WorkerDependencies) {
  return ({ run, party, baseline }: StageInput<"run-baseline">): Promise<StageOutput<"run-baseline">> => {
    const deps = { ...given, progress: (event: ProgressEvent) => given.progress({ ...event, baseline }) };
    const trainsOn = TRAINS_ON[baseline as Baseline];
    const identity = { run, round: 0, stage: "run-baseline", party };
    const folder = artefactKeys.baseline(run, party, baseline);
    return withJob(
      deps,
      identity,
      folder,
      () => null,
      async (plan, open) => {
        const client = plan.spec.clients.find(({ id }) => id === party);
        const privateSet =
          trainsOn.private && client
            ? await readSampleSet(deps, client.private, plan.spec.sampleBytes, `client ${party}: private`)
            : [];
        const publicSet = trainsOn.public ? await loadPublicSet(deps, plan) : [];
        const rounds = trainsOn.private || trainsOn.public ? plan.spec.rounds : 0;
        let steps = 0;
        for (let round = 1; round <= rounds; round++) {
          const inRound = { ...identity, round };
          steps += (await trainOnPrivate(deps, plan, open, privateSet, inRound)).steps;
          steps += (await trainOnPublic(deps, plan, open, publicSet, inRound, null)).steps;
        }
        const scores = await scoreParty(deps, plan, open, { ...identity, round: rounds }, baseline);
        const outputs = new JobOutputs(deps, identity, folder);
        await outputs.write(SCORES, encodeJson(scores));
        if (rounds > 0) await outputs.write(ADAPTER, await open.model.adapter());
        return outputs.commit({ steps });
      },
    );
  };
}
