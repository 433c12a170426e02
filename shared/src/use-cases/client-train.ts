import { partySpec } from "../contracts/run-spec.ts";
import { InvalidInputError } from "../core/errors.ts";
import { extractKnowledge } from "./extract-knowledge.ts";
import { ADAPTER, adapterBeforeRound } from "./party-outputs.ts";
import { readPrivateSet } from "./prepare-samples.ts";
import { loadPublicSet } from "./public-set.ts";
import { trainOnPrivate } from "./train-party.ts";
import { type JobResult, partyStage } from "./with-job.ts";

/** A client's half of a round before transfer: fine-tune on the private set, show what was learned on the public set. */
export const clientTrain = partyStage("client-train", adapterBeforeRound, async (job): Promise<JobResult> => {
  const { deps, plan, identity, open, outputs } = job;
  const samples = await readPrivateSet(deps, plan, identity.party);
  if (samples.length === 0)
    throw new InvalidInputError("DATASET_EMPTY", `client ${identity.party}: private: expected samples, found none`);
  const outcome = await trainOnPrivate(job, samples);
  await outputs.write(ADAPTER, await open.model.adapter());
  const extracted = await extractKnowledge(job, await loadPublicSet(deps, plan));
  const { model } = partySpec(plan.spec, identity.party);
  return {
    metrics: { ...outcome, ...extracted, privateSamples: samples.length },
    facts: plan.spec.aggregation === "fedavg" ? { weightsHash: await deps.material.weightsHash(model) } : {},
  };
});
