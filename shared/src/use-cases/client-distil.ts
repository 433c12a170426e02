import type { Plan } from "../contracts/plan.ts";
import { invariant } from "../core/errors.ts";
import { type GateMetrics, judgeRound } from "./gate.ts";
import { finishedJob, readOutput } from "./job-outputs.ts";
import { ADAPTER, adapterBeforeRound, FRESH_ADAPTER, jobFolder } from "./party-outputs.ts";
import { loadPublicSet } from "./public-set.ts";
import { refuseChangedSet } from "./refuse-changed-set.ts";
import { loadSelectedKnowledge } from "./selected-knowledge.ts";
import { trainOnPublic } from "./train-party.ts";
import { readValidationSet } from "./validation-set.ts";
import { partyStage, type RunningJob } from "./with-job.ts";

const trainedIn = (plan: Plan, { round, party }: { round: number; party: string }) =>
  jobFolder(plan, round, "client-train", party);

/**
 * A client learns from the server where the server was better, on top of what client-train gave it; or from the labels alone. Where
 * that made it worse than it was before client-train, the whole round is undone for it.
 */
export const clientDistil = partyStage("client-distil", trainedIn, async (job) => {
  const samples = await loadPublicSet(job.deps, job.plan);
  const isTransferred = job.plan.spec.distillation.direction !== "none";
  const knowledge = isTransferred ? await loadSelectedKnowledge(job, samples) : null;
  const outcome = await trainOnPublic(job, samples, knowledge);
  const gate = await judgeClient(job);
  await job.outputs.write(ADAPTER, gate?.undone ? await adapterBefore(job) : await job.open.model.adapter());
  return { metrics: { ...outcome, ...gate } };
});

/** @returns null where the client's rounds are not judged */
async function judgeClient(job: RunningJob): Promise<GateMetrics | null> {
  const { deps, plan, identity } = job;
  // what it trains on was held against it before it trained
  const validation = await readValidationSet(deps, plan, identity.party, {});
  if (validation === null) return null;
  const trained = await finishedJob(deps, trainedIn(plan, identity));
  refuseChangedSet(
    `client ${identity.party}: validation`,
    validation.hash,
    trained?.facts.validationHash,
    "client-train",
  );
  const before = trained?.metrics.validationBefore;
  invariant(before !== undefined, "GATE_UNPREPARED", `${identity.party}: client-train left no validationBefore`);
  return judgeRound(job, validation, before);
}

/** The adapter with which the client began the round, before it trained on anything. */
async function adapterBefore({ deps, plan, identity }: RunningJob): Promise<Uint8Array> {
  const before = adapterBeforeRound(plan, identity);
  return before === null
    ? readOutput(deps, trainedIn(plan, identity), FRESH_ADAPTER)
    : readOutput(deps, before, ADAPTER);
}
