import { encodeJson } from "../contracts/json-document.ts";
import { artefactKeys } from "../contracts/keys.ts";
import type { ProgressEvent } from "../contracts/progress.ts";
import type { Baseline } from "../contracts/run-spec.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import type { WorkerDependencies } from "./dependencies.ts";
import { ADAPTER, SCORES } from "./party-outputs.ts";
import { readPrivateSet } from "./prepare-samples.ts";
import { loadPublicSet } from "./public-set.ts";
import { scoreParty } from "./score-party.ts";
import { trainOnPrivate, trainOnPublic } from "./train-party.ts";
import { type JobResult, type RunningJob, withJob } from "./with-job.ts";

/** What each baseline trains on, round by round: the same data, order, epochs and optimizer as the run, without transfer. */
export const TRAINS_ON: Record<Baseline, { private: boolean; public: boolean }> = {
  "zero-shot": { private: false, public: false },
  standalone: { private: true, public: false },
  "standalone+public": { private: true, public: true },
  "public-only": { private: false, public: true },
};

/** One baseline of one party, all rounds in one job, scored at the end. */
export function runBaseline(given: WorkerDependencies) {
  return ({ run, party, baseline }: StageInput<"run-baseline">): Promise<StageOutput<"run-baseline">> => {
    const deps = { ...given, progress: (event: ProgressEvent) => given.progress({ ...event, baseline }) };
    const identity = { run, round: 0, stage: "run-baseline", party };
    const folder = artefactKeys.baseline(run, party, baseline);
    return withJob(deps, identity, folder, freshAdapter, (job) => trainBaseline(job, baseline as Baseline));
  };
}

const freshAdapter = () => null;

async function trainBaseline(job: RunningJob, baseline: Baseline): Promise<JobResult> {
  const { deps, plan, identity, open, outputs } = job;
  const trainsOn = TRAINS_ON[baseline];
  const privateSet = trainsOn.private ? await readPrivateSet(deps, plan, identity.party) : [];
  const publicSet = trainsOn.public ? await loadPublicSet(deps, plan) : [];
  const rounds = trainsOn.private || trainsOn.public ? plan.spec.rounds : 0;
  let steps = 0;
  for (let round = 1; round <= rounds; round++) {
    const inRound = { ...job, identity: { ...identity, round } };
    steps += (await trainOnPrivate(inRound, privateSet)).steps;
    steps += (await trainOnPublic(inRound, publicSet, null)).steps;
  }
  const scores = await scoreParty({ ...job, identity: { ...identity, round: rounds } }, baseline);
  await outputs.write(SCORES, encodeJson(scores));
  if (rounds > 0) await outputs.write(ADAPTER, await open.model.adapter());
  return { metrics: { steps } };
}
