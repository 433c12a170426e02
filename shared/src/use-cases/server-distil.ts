import { extractKnowledge } from "./extract-knowledge.ts";
import { judgeRound, lookBeforeRound } from "./gate.ts";
import { finishedJob, readOutput } from "./job-outputs.ts";
import { ADAPTER, adapterBeforeRound } from "./party-outputs.ts";
import { loadPublicSet } from "./public-set.ts";
import { refuseChangedSet } from "./refuse-changed-set.ts";
import { loadSelectedKnowledge } from "./selected-knowledge.ts";
import { trainOnPublic } from "./train-party.ts";
import { readValidationSet, type ValidationSet } from "./validation-set.ts";
import { partyStage, type RunningJob } from "./with-job.ts";

/**
 * The server learns from the clients that were better than it, sample by sample, and shows what it knows now. Where that made it
 * worse the round is undone, and it shows what it knew before.
 */
export const serverDistil = partyStage("server-distil", adapterBeforeRound, async (job) => {
  const { deps, plan, identity, open, outputs } = job;
  const samples = await loadPublicSet(deps, plan);
  const validation = await readValidationSet(deps, plan, identity.party, { public: samples });
  if (validation) await refuseChangedValidation(job, validation);
  const before = validation && (await lookBeforeRound(job, validation));
  const outcome = await trainOnPublic(job, samples, await loadSelectedKnowledge(job, samples));
  const gate = validation && before && (await judgeRound(job, validation, before.bitsPerByte));
  const kept = gate?.undone
    ? (before!.fresh ?? (await readOutput(deps, adapterBeforeRound(plan, identity)!, ADAPTER)))
    : null;
  await outputs.write(ADAPTER, kept ?? (await open.model.adapter()));
  const shown = kept ? { ...job, open: await job.reopen(kept) } : job;
  const facts: Record<string, string> = validation ? { validationHash: validation.hash } : {};
  return { metrics: { ...outcome, ...gate, ...(await extractKnowledge(shown, samples)) }, facts };
});

/** The set must be that of the round before. */
async function refuseChangedValidation({ deps, plan, identity }: RunningJob, { hash }: ValidationSet): Promise<void> {
  const before = adapterBeforeRound(plan, identity);
  const done = before === null ? null : await finishedJob(deps, before);
  refuseChangedSet("server: validation", hash, done?.facts.validationHash, `round ${identity.round - 1}`);
}
