import { artefactKeys } from "../contracts/keys.ts";
import { partySpec } from "../contracts/run-spec.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import { InvalidInputError } from "../core/errors.ts";
import type { WorkerDependencies } from "./dependencies.ts";
import { extractKnowledge } from "./extract-knowledge.ts";
import { JobOutputs } from "./job-outputs.ts";
import { partyOf } from "./load-plan.ts";
import { ADAPTER, adapterAfterRound } from "./party-outputs.ts";
import { readSampleSet } from "./prepare-samples.ts";
import { loadPublicSet } from "./public-set.ts";
import { trainOnPrivate } from "./train-party.ts";
import { withJob } from "./with-job.ts";

/** A client's half of a round before transfer: fine-tune on the private set, show what was learned on the public set. */
export function clientTrain(deps: WorkerDependencies) {
  return ({ run, round, party }: StageInput<"client-train">): Promise<StageOutput<"client-train">> => {
    const identity = { run, round, stage: "client-train", party };
    const folder = artefactKeys.job(run, round, identity.stage, party);
    return withJob(
      deps,
      identity,
      folder,
      (plan) => adapterAfterRound(plan, round - 1, party),
      async (plan, open) => {
        const data = plan.spec.clients.find((client) => client.id === partyOf(plan, party).id)!.private;
        const samples = await readSampleSet(deps, data, plan.spec.sampleBytes, `client ${party}: private`);
        if (samples.length === 0)
          throw new InvalidInputError(
            "DATASET_EMPTY",
            `client ${party}: private: expected samples in ${data.path}, found none`,
          );
        const outcome = await trainOnPrivate(deps, plan, open, samples, identity);
        const outputs = new JobOutputs(deps, identity, folder);
        await outputs.write(ADAPTER, await open.model.adapter());
        const extracted = await extractKnowledge(deps, plan, open, await loadPublicSet(deps, plan), identity, outputs);
        const facts: Record<string, string> =
          plan.spec.aggregation === "fedavg"
            ? { weightsHash: await deps.material.weightsHash(partySpec(plan.spec, party).model) }
            : {};
        return outputs.commit({ ...outcome, ...extracted, privateSamples: samples.length }, facts);
      },
    );
  };
}
