import type { MemoryObjectStore } from "../../cli/src/validate/memory-object-store.ts";
import { controlKeys } from "../../shared/src/contracts/keys.ts";
import type { RunSpecInput } from "../../shared/src/contracts/run-spec.ts";
import type { PlannedRound } from "../../shared/src/contracts/stages.ts";
import { alignShard } from "../../shared/src/use-cases/align-shard.ts";
import { averageAdapters } from "../../shared/src/use-cases/average-adapters.ts";
import { clientDistil } from "../../shared/src/use-cases/client-distil.ts";
import { clientTrain } from "../../shared/src/use-cases/client-train.ts";
import { closeRound } from "../../shared/src/use-cases/close-round.ts";
import type {
  PlanDependencies,
  PublishDependencies,
  WorkerDependencies,
} from "../../shared/src/use-cases/dependencies.ts";
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
  deps: WorkerDependencies & PlanDependencies & PublishDependencies;
  objects: MemoryObjectStore;
}

/** Uploads a spec and has an execution plan it. */
export async function plan({ deps, objects }: StagePlace, spec: RunSpecInput, execution = EXECUTION) {
  const key = controlKeys.spec(spec.name);
  await objects.put("control", key, specYaml(spec));
  return planRun(deps)({ bucket: "control", key, execution });
}

/** What else happens before a round is closed, of the run or of the variant that is named. */
type BeforeClose = (round: number, run: string) => Promise<void>;

/** Calls every stage in the machine's order, one after the other, without any machine. */
export async function runStages(run: StagePlace, spec: RunSpecInput, beforeClose?: BeforeClose) {
  const { deps } = run;
  const planned = (await plan(run, spec)).machine!;
  const name = planned.run;
  for (const pair of planned.maps) await mapVocabulary(deps)({ run: name, ...pair });
  for (const { party, baseline } of planned.baselines) await runBaseline(deps)({ run: name, party, baseline });
  let next: PlannedRound | null = planned.first;
  while (next !== null) next = await runRound(deps, next, beforeClose);
  await publishRun(deps)({ run: name });
}

/** One execution of the round machine. @returns the round that follows */
async function runRound(
  deps: StagePlace["deps"],
  { run, round, direction, aggregation, begun, members }: PlannedRound,
  beforeClose?: BeforeClose,
): Promise<PlannedRound | null> {
  const { clients, parties, toServer, toClients } = members;
  if (!begun) {
    for (const { id } of clients) await clientTrain(deps)({ run, round, party: id });
    if (round === 1 && direction !== "none") await serverExtract(deps)({ run, round, party: "server" });
  }
  if (direction === "both") {
    for (const transfer of toServer) await alignShard(deps)({ run, round, ...transfer, target: "server" });
    await selectKnowledge(deps)({ run, round, target: "server" });
    await serverDistil(deps)({ run, round, party: "server" });
  }
  for (const transfer of toClients) await alignShard(deps)({ run, round, source: "server", ...transfer });
  for (const { id } of clients) {
    if (direction !== "none") await selectKnowledge(deps)({ run, round, target: id });
    await clientDistil(deps)({ run, round, party: id });
  }
  if (aggregation === "fedavg") await averageAdapters(deps)({ run, round });
  for (const { id } of parties) await evaluate(deps)({ run, round, party: id });
  await beforeClose?.(round, run);
  return (await closeRound(deps)({ run, round })).next;
}
