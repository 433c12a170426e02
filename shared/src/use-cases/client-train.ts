import { averagesAnywhere } from "../contracts/derive-variant.ts";
import { partySpec } from "../contracts/run-spec.ts";
import { InvalidInputError } from "../core/errors.ts";
import { writeSamples } from "../formats/samples.ts";
import { sha256 } from "../formats/sha256.ts";
import { extractKnowledge } from "./extract-knowledge.ts";
import { lookBeforeRound } from "./gate.ts";
import { finishedJob } from "./job-outputs.ts";
import { ADAPTER, adapterBeforeRound, FRESH_ADAPTER, jobFolder } from "./party-outputs.ts";
import { readPrivateSet } from "./prepare-samples.ts";
import { loadPublicSet } from "./public-set.ts";
import { refuseChangedSet } from "./refuse-changed-set.ts";
import { trainOnPrivate } from "./train-party.ts";
import { readValidationSet } from "./validation-set.ts";
import { type JobResult, partyStage, type RunningJob } from "./with-job.ts";

/**
 * A client's half of a round before transfer: fine-tune on the private set, show what was learned on the public set, where anybody
 * is there to see it.
 */
export const clientTrain = partyStage("client-train", adapterBeforeRound, async (job): Promise<JobResult> => {
  const { deps, plan, identity, open, outputs } = job;
  const samples = await readPrivateSet(deps, plan, identity.party);
  if (samples.length === 0)
    throw new InvalidInputError("DATASET_EMPTY", `client ${identity.party}: private: expected samples, found none`);
  const privateHash = sha256(writeSamples(samples));
  const isTransferred = plan.spec.distillation.direction !== "none";
  const publicSet = isTransferred || plan.spec.gate ? await loadPublicSet(deps, plan) : [];
  const validation = await readValidationSet(deps, plan, identity.party, { private: samples, public: publicSet });
  const hashes = { privateHash, ...(validation ? { validationHash: validation.hash } : {}) };
  await refuseChangedSets(job, hashes);
  const before = validation ? await lookBeforeRound(job, validation) : null;
  const outcome = await trainOnPrivate(job, samples);
  await outputs.write(ADAPTER, await open.model.adapter());
  if (before?.fresh) await outputs.write(FRESH_ADAPTER, before.fresh);
  const extracted = isTransferred ? await extractKnowledge(job, publicSet) : {};
  const { model } = partySpec(plan.spec, identity.party);
  return {
    metrics: {
      ...outcome,
      ...extracted,
      privateSamples: samples.length,
      ...(before ? { validationBefore: before.bitsPerByte } : {}),
    },
    facts: {
      ...hashes,
      ...(averagesAnywhere(plan.spec) ? { weightsHash: await deps.material.weightsHash(model) } : {}),
    },
  };
});

/** The sets must be those of the client's first round. */
async function refuseChangedSets(
  { deps, plan, identity: { round, party } }: RunningJob,
  { privateHash, validationHash }: { privateHash: string; validationHash?: string },
): Promise<void> {
  const { joinsAtRound } = plan.spec.clients.find(({ id }) => id === party)!;
  if (round === joinsAtRound) return;
  const first = await finishedJob(deps, jobFolder(plan, joinsAtRound, "client-train", party));
  if (first === null) return;
  refuseChangedSet(`client ${party}: private`, privateHash, first.facts.privateHash, `round ${joinsAtRound}`);
  if (validationHash !== undefined)
    refuseChangedSet(
      `client ${party}: validation`,
      validationHash,
      first.facts.validationHash,
      `round ${joinsAtRound}`,
    );
}
