import { artefactKeys, MANIFEST } from "../contracts/keys.ts";
import type { Plan } from "../contracts/plan.ts";
import type { WorkerDependencies } from "./dependencies.ts";
import { finishedJob, type JobIdentity, JobOutputs, readOutput } from "./job-outputs.ts";
import { loadPlan } from "./load-plan.ts";
import { type OpenParty, openParty } from "./open-party.ts";
import { ADAPTER } from "./party-outputs.ts";

/** What a job works with once its party's model is open. */
export interface RunningJob {
  deps: WorkerDependencies;
  plan: Plan;
  identity: JobIdentity;
  open: OpenParty;
  outputs: JobOutputs;
}

export interface JobResult {
  metrics: Record<string, number>;
  facts?: Record<string, string>;
}

/** The job that holds the adapter to start from; null: a fresh one. */
type AdapterFolder = (plan: Plan, identity: JobIdentity) => string | null;
type Work = (job: RunningJob) => Promise<JobResult>;

/** A stage of one party in one round, as a use case. */
export function partyStage(stage: string, adapterFolder: AdapterFolder, work: Work) {
  return (deps: WorkerDependencies) =>
    ({ run, round, party }: { run: string; round: number; party: string }) =>
      withJob(deps, { run, round, stage, party }, artefactKeys.job(run, round, stage, party), adapterFolder, work);
}

/**
 * The frame of every job of a worker: a job that is done is not done again; the party's model is opened with the adapter it
 * had and closed however the work ends; what the work wrote is committed last.
 */
export async function withJob(
  deps: WorkerDependencies,
  identity: JobIdentity,
  folder: string,
  adapterFolder: AdapterFolder,
  work: Work,
): Promise<{ manifest: string }> {
  if ((await finishedJob(deps, folder)) !== null) {
    deps.progress({ ...identity, phase: "done", reused: true });
    return { manifest: `${folder}/${MANIFEST}` };
  }
  deps.progress({ ...identity, phase: "started" });
  const plan = await loadPlan(deps, identity.run);
  const from = adapterFolder(plan, identity);
  const open = await openParty(
    deps,
    plan,
    identity.party,
    from === null ? null : await readOutput(deps, from, ADAPTER),
  );
  try {
    const outputs = new JobOutputs(deps, identity, folder);
    const { metrics, facts } = await work({ deps, plan, identity, open, outputs });
    const done = await outputs.commit(metrics, facts);
    deps.progress({ ...identity, phase: "done" });
    return done;
  } finally {
    await open.model.close();
  }
}
