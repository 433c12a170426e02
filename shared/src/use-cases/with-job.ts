import { MANIFEST } from "../contracts/keys.ts";
import type { Plan } from "../contracts/plan.ts";
import type { WorkerDependencies } from "./dependencies.ts";
import { finishedJob, type JobIdentity, readOutput } from "./job-outputs.ts";
import { loadPlan } from "./load-plan.ts";
import { type OpenParty, openParty } from "./open-party.ts";
import { ADAPTER } from "./party-outputs.ts";

/**
 * The frame of every job of a worker: a job that is done is not done again; the party's model is opened with the adapter it
 * had and closed however the work ends.
 * @param adapterFolder - the job that holds the adapter to start from; null: a fresh one
 */
export async function withJob(
  deps: WorkerDependencies,
  identity: JobIdentity,
  folder: string,
  adapterFolder: (plan: Plan) => string | null,
  work: (plan: Plan, open: OpenParty) => Promise<{ manifest: string }>,
): Promise<{ manifest: string }> {
  deps.progress({ ...identity, phase: "started" });
  if ((await finishedJob(deps, folder)) !== null) {
    deps.progress({ ...identity, phase: "done" });
    return { manifest: `${folder}/${MANIFEST}` };
  }
  const plan = await loadPlan(deps, identity.run);
  const from = adapterFolder(plan);
  const open = await openParty(
    deps,
    plan,
    identity.party,
    from === null ? null : await readOutput(deps, from, ADAPTER),
  );
  try {
    const done = await work(plan, open);
    deps.progress({ ...identity, phase: "done" });
    return done;
  } finally {
    await open.model.close();
  }
}
