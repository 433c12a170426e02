import { artefactKeys, MANIFEST } from "../contracts/keys.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import { averageWeights } from "../core/distillation/average-weights.ts";
import { InvalidInputError, InvariantError } from "../core/errors.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../formats/safetensors.ts";
import type { StageDependencies } from "./dependencies.ts";
import { finishedJob, JobOutputs, readOutput } from "./job-outputs.ts";
import { loadPlan } from "./load-plan.ts";
import { ADAPTER, jobFolder } from "./party-outputs.ts";
import { clientsOf } from "./round-members.ts";

interface ClientAdapter {
  party: string;
  weight: number;
  weightsHash: string;
  tensors: Map<string, Tensor>;
}

/** FedAvg: the LoRA weights of the round's clients, averaged by their numbers of private samples, become every client's adapter. */
export function averageAdapters(deps: StageDependencies) {
  return async ({ run, round }: StageInput<"average-adapters">): Promise<StageOutput<"average-adapters">> => {
    const folder = artefactKeys.averaged(run, round);
    if (await finishedJob(deps, folder)) return { manifest: `${folder}/${MANIFEST}` };
    const plan = await loadPlan(deps, run);
    const adapters: ClientAdapter[] = [];
    for (const { id } of clientsOf(plan.spec, round)) {
      const trained = await finishedJob(deps, jobFolder(plan, round, "client-train", id));
      if (trained === null)
        throw new InvariantError("JOB_UNFINISHED", `round ${round}: ${id} has not trained, so it cannot be averaged`);
      const key = jobFolder(plan, round, "client-distil", id);
      const { tensors } = readSafetensors(await readOutput(deps, key, ADAPTER), `${key}/${ADAPTER}`);
      adapters.push({
        party: id,
        weight: trained.metrics.privateSamples,
        weightsHash: trained.facts.weightsHash,
        tensors,
      });
    }
    const other = adapters.find(({ weightsHash }) => weightsHash !== adapters[0].weightsHash);
    if (other)
      throw new InvalidInputError(
        "MODELS_DIFFER",
        `aggregation: fedavg averages equal models only, but the weights of ${other.party}'s model differ from those of ${adapters[0].party}'s`,
      );
    const averaged = averageWeights(
      adapters.map(({ party, weight, tensors }) => ({
        weight,
        tensors: new Map([...tensors].map(([name, tensor]) => [name, finiteWeights(tensor, `${party}: ${name}`)])),
      })),
    );
    const shapes = adapters[0].tensors;
    const bytes = writeSafetensors(
      Object.fromEntries(
        [...averaged].map(([name, data]) => [name, { dtype: "F32" as const, shape: shapes.get(name)!.shape, data }]),
      ),
      { format: "pt" },
    );
    const outputs = new JobOutputs(deps, { run, round, stage: "average-adapters", party: "server" }, folder);
    await outputs.write(ADAPTER, bytes);
    return outputs.commit({ clients: adapters.length });
  };
}

/** @throws InvalidInputError `ADAPTER_INVALID`: one client's NaN would be everybody's */
function finiteWeights({ dtype, data }: Tensor, what: string): Float32Array {
  if (dtype !== "F32") throw new InvalidInputError("ADAPTER_INVALID", `${what}: expected F32, got ${dtype}`);
  if (!(data as Float32Array).every(Number.isFinite))
    throw new InvalidInputError("ADAPTER_INVALID", `${what}: expected finite weights, got NaN or infinity`);
  return data as Float32Array;
}
