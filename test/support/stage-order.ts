import type { MemoryObjectStore } from "../../cli/src/validate/memory-object-store.ts";
import { controlKeys } from "../../shared/src/contracts/keys.ts";
import type { RunSpecInput } from "../../shared/src/contracts/run-spec.ts";
import { alignShard } from "../../shared/src/use-cases/align-shard.ts";
import { averageAdapters } from "../../shared/src/use-cases/average-adapters.ts";
import { clientDistil } from "../../shared/src/use-cases/client-distil.ts";
import { clientTrain } from "../../shared/src/use-cases/client-train.ts";
import { closeRound } from "../../shared/src/use-cases/close-round.ts";
import type { PlanDependencies, WorkerDependencies } from "../../shared/src/use-cases/dependencies.ts";
import { evaluate } from "../../shared/src/use-cases/evaluate.ts";
import { mapVocabulary } from "../../shared/src/use-cases/map-vocabulary.ts";
import { planRun } from "../../shared/src/use-cases/plan-run.ts";
import { publishRun } from "../../shared/src/use-cases/publish-run.ts";
import { runBaseline } from "../../shared/src/use-cases/run-baseline.ts";
import { selectKnowledge } from "../../shared/src/use-cases/select-knowledge.ts";
import { serverDistil } from "../../shared/src/use-cases/server-distil.ts";
import { serverExtract } from "../../shared/src/use-cases/server-extract.ts";
import { EXECUTION } from "./execution-arn.ts";
import { specYaml } from "./tiny-federation.ts";

/** What every stage of a run takes, its objects held in this process. */
export interface StagePlace {
  deps: WorkerDependencies & PlanDependencies;
  objects: MemoryObjectStore;
}

/** Uploads a spec and has an execution plan it. */
export async function plan({ deps, objects }: StagePlace, spec: RunSpecInput, execution = EXECUTION) {
  const key = controlKeys.spec(spec.name);
  await objects.put("control", key, specYaml(spec));
  return planRun(deps)({ bucket: "control", key, execution });
}

/**
 * Calls every stage in the machine's order, one after the other, without any machine.
 * @param beforeClose - what else happens before a round is closed
 */
export async function runStages(run: StagePlace, spec: RunSpecInput, beforeClose?: (round: number) => Promise<void>) {
  const { deps } = run;
  const planned = (await plan(run, spec)).machine!;
  const name = planned.run;
  for (const pair of planned.maps) await mapVocabulary(deps)({ run: name, ...pair });
  for (const { party, baseline } of planned.baselines) await runBaseline(deps)({ run: name, party, baseline });
  for (let round = 1, done = false; !done; round++) {
    for (const { id } of planned.clients) await clientTrain(deps)({ run: name, round, party: id });
    if (round === 1) await serverExtract(deps)({ run: name, round, party: "server" });
    for (const transfer of planned.toServer) await alignShard(deps)({ run: name, round, ...transfer });
    await selectKnowledge(deps)({ run: name, round, target: "server" });
    await serverDistil(deps)({ run: name, round, party: "server" });
    for (const transfer of planned.toClients) await alignShard(deps)({ run: name, round, ...transfer });
    for (const { id } of planned.clients) {
      await selectKnowledge(deps)({ run: name, round, target: id });
      await clientDistil(deps)({ run: name, round, party: id });
    }
    if (planned.aggregation === "fedavg") await averageAdapters(deps)({ run: name, round });
    for (const { id } of planned.parties) await evaluate(deps)({ run: name, round, party: id });
    await beforeClose?.(round);
    done = (await closeRound(deps)({ run: name, round })).done;
  }
  await publishRun(deps)({ run: name });
}
