import { encodeJson } from "../contracts/json-document.ts";
import { artefactKeys } from "../contracts/keys.ts";
import type { ProgressEvent } from "../contracts/progress.ts";
import type { RunSpec } from "../contracts/run-spec.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import type { Sample } from "../core/samples/sample.ts";
import { BaselineGate } from "./baseline-gate.ts";
import type { WorkerDependencies } from "./dependencies.ts";
import { ADAPTER, SCORES } from "./party-outputs.ts";
import type { BaselineJob } from "./plan-baselines.ts";
import { readPrivateSet } from "./prepare-samples.ts";
import { loadPublicSet } from "./public-set.ts";
import { clientsOf, SERVER, takesPart } from "./round-members.ts";
import { scoreParty } from "./score-party.ts";
import { trainOnPrivate, trainOnPublic } from "./train-party.ts";
import { type JobResult, type RunningJob, withJob } from "./with-job.ts";

/** What each baseline trains on, round by round: the same data, order, epochs and optimizer as the run, without transfer. */
export const TRAINS_ON: Record<BaselineJob, { private: boolean; public: boolean }> = {
  "zero-shot": { private: false, public: false },
  standalone: { private: true, public: false },
  "standalone+public": { private: true, public: true },
  "public-only": { private: false, public: true },
  centralized: { private: true, public: true },
};

/** One baseline of one party, all rounds in one job, scored at the end. */
export function runBaseline(given: WorkerDependencies) {
  return ({ run, party, baseline }: StageInput<"run-baseline">): Promise<StageOutput<"run-baseline">> => {
    const deps = { ...given, progress: (event: ProgressEvent) => given.progress({ ...event, baseline }) };
    const identity = { run, round: 0, stage: "run-baseline", party };
    const folder = artefactKeys.baseline(run, party, baseline);
    return withJob(deps, identity, folder, freshAdapter, (job) => trainBaseline(job, baseline as BaselineJob));
  };
}

const freshAdapter = () => null;

async function trainBaseline(job: RunningJob, baseline: BaselineJob): Promise<JobResult> {
  const { deps, plan, identity, outputs } = job;
  const trainsOn = TRAINS_ON[baseline];
  const privateSets = trainsOn.private ? await readPrivateSets(job) : new Map<string, Sample[]>();
  const publicSet = trainsOn.public ? await loadPublicSet(deps, plan) : [];
  const rounds = trainsOn.private || trainsOn.public ? lastRoundOfParty(plan.spec, identity.party) : 0;
  const gate =
    rounds === 0
      ? null
      : await BaselineGate.open(job, { private: [...privateSets.values()].flat(), public: publicSet });
  let going = job;
  let steps = 0;
  for (let round = 1; round <= rounds; round++) {
    if (!trainsIn(plan.spec, identity.party, round)) continue;
    const inRound = { ...going, identity: { ...identity, round } };
    const privateSet = clientsOf(plan.spec, round).flatMap(({ id }) => privateSets.get(id) ?? []);
    steps += (await trainOnPrivate(inRound, privateSet)).steps;
    steps += (await trainOnPublic(inRound, publicSet, null)).steps;
    if (gate) going = await gate.judge(inRound);
  }
  const scores = await scoreParty({ ...going, identity: { ...identity, round: rounds } }, baseline);
  await outputs.write(SCORES, encodeJson(scores));
  if (rounds > 0) await outputs.write(ADAPTER, await going.open.model.adapter());
  return { metrics: { steps, ...gate?.metrics } };
}

/** A client's own set; for the server, whose only such baseline is `centralized`, every client's. */
async function readPrivateSets({ deps, plan, identity: { party } }: RunningJob): Promise<Map<string, Sample[]>> {
  const owners = party === SERVER.id ? plan.spec.clients.map(({ id }) => id) : [party];
  const sets = new Map<string, Sample[]>();
  for (const owner of owners) sets.set(owner, await readPrivateSet(deps, plan, owner));
  return sets;
}

/** A client trains in the rounds that it takes part in, as in the run; the server in all. */
function trainsIn(spec: RunSpec, party: string, round: number): boolean {
  const client = spec.clients.find(({ id }) => id === party);
  return client === undefined || takesPart(client, round);
}

function lastRoundOfParty({ rounds, clients }: RunSpec, party: string): number {
  return clients.find(({ id }) => id === party)?.leavesAfterRound ?? rounds;
}
