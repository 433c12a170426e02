import { artefactKeys } from "../contracts/keys.ts";
import { partySpec } from "../contracts/run-spec.ts";
import { InvalidInputError } from "../core/errors.ts";
import { writeSamples } from "../formats/samples.ts";
import { sha256 } from "../formats/sha256.ts";
import { extractKnowledge } from "./extract-knowledge.ts";
import { finishedJob } from "./job-outputs.ts";
import { ADAPTER, adapterBeforeRound } from "./party-outputs.ts";
import { readPrivateSet } from "./prepare-samples.ts";
import { loadPublicSet } from "./public-set.ts";
import { trainOnPrivate } from "./train-party.ts";
import { type JobResult, partyStage, type RunningJob } from "./with-job.ts";

/** A client's half of a round before transfer: fine-tune on the private set, show what was learned on the public set. */
export const clientTrain = partyStage("client-train", adapterBeforeRound, async (job): Promise<JobResult> => {
  const { deps, plan, identity, open, outputs } = job;
  const samples = await readPrivateSet(deps, plan, identity.party);
  if (samples.length === 0)
    throw new InvalidInputError("DATASET_EMPTY", `client ${identity.party}: private: expected samples, found none`);
  const privateHash = sha256(writeSamples(samples));
  await refuseChangedSet(job, privateHash);
  const outcome = await trainOnPrivate(job, samples);
  await outputs.write(ADAPTER, await open.model.adapter());
  const extracted = await extractKnowledge(job, await loadPublicSet(deps, plan));
  const { model } = partySpec(plan.spec, identity.party);
  return {
    metrics: { ...outcome, ...extracted, privateSamples: samples.length },
    facts: {
      privateHash,
      ...(plan.spec.aggregation === "fedavg" ? { weightsHash: await deps.material.weightsHash(model) } : {}),
    },
  };
});

/** A run is one experiment on one private set; new data begin a new run. */
async function refuseChangedSet({ deps, identity: { run, round, party } }: RunningJob, hash: string): Promise<void> {
  if (round === 1) return;
  const first = await finishedJob(deps, artefactKeys.job(run, 1, "client-train", party));
  if (first !== null && first.facts.privateHash !== hash)
    throw new InvalidInputError(
      "DATASET_CHANGED",
      `client ${party}: private: the samples are not those of round 1 (SHA-256 ${first.facts.privateHash}, now ${hash}); put them back, or start a run under another name`,
    );
}
