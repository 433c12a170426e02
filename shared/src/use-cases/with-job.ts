import { artefactKeys, MANIFEST } from "../contracts/keys.ts";
import type { Plan } from "../contracts/plan.ts";
import type { WorkerDependencies } from "./dependencies.ts";
import { JobCheckpoint } from "./job-checkpoint.ts";
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
  checkpoint: JobCheckpoint;
  /** Closes the party's model and opens it again with another adapter; `open` is of no use any more. @returns the model */
  reopen(adapter: Uint8Array): Promise<OpenParty>;
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
 * had and closed however the work ends; what the work wrote is committed last. Training goes on where an earlier attempt was
 * interrupted; where that attempt's checkpoint is of no use the whole job begins anew, since an earlier phase may have been
 * passed over on its word.
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
  const adapter = from === null ? null : await readOutput(deps, from, ADAPTER);
  const attempt = async (checkpoint: JobCheckpoint): Promise<{ manifest: string }> => {
    const opened = { now: await openParty(deps, plan, identity.party, adapter) };
    const reopen = async (other: Uint8Array) => {
      await opened.now.model.close();
      deps.interruption.signal.throwIfAborted();
      opened.now = await openParty(deps, plan, identity.party, other);
      deps.interruption.signal.throwIfAborted();
      return opened.now;
    };
    return whileOpen(deps, opened, checkpoint, async () => {
      const outputs = new JobOutputs(deps, identity, folder);
      const { metrics, facts } = await work({ deps, plan, identity, open: opened.now, outputs, checkpoint, reopen });
      checkpoint.checkUsed();
      return outputs.commit(metrics, facts);
    });
  };
  const done = await JobCheckpoint.find(deps, folder)
    .then(attempt)
    .catch((error) => {
      if (!JobCheckpoint.refuses(error)) throw error;
      deps.warn("checkpoint refused: the job begins anew", { ...identity, code: error.code, error });
      return attempt(JobCheckpoint.fresh(deps, folder));
    });
  deps.progress({ ...identity, phase: "done" });
  return done;
}

/**
 * Works with an open model and closes it in the end. When the job is interrupted, training puts itself down; everything else is
 * cut off by closing the model under it.
 */
async function whileOpen<T>(
  { interruption: { signal } }: WorkerDependencies,
  opened: { now: OpenParty },
  checkpoint: JobCheckpoint,
  work: () => Promise<T>,
): Promise<T> {
  const cutOff = () => checkpoint.training || opened.now.model.close().catch(() => undefined); // awaited below
  signal.addEventListener("abort", cutOff);
  try {
    signal.throwIfAborted();
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", cutOff);
    await opened.now.model.close();
  }
}
