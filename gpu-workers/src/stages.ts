import type { StageInput, StageOutput, WorkerStageName } from "@fedmkt/shared/contracts/stages.ts";
import { clientDistil } from "@fedmkt/shared/use-cases/client-distil.ts";
import { clientTrain } from "@fedmkt/shared/use-cases/client-train.ts";
import type { WorkerDependencies } from "@fedmkt/shared/use-cases/dependencies.ts";
import { evaluate } from "@fedmkt/shared/use-cases/evaluate.ts";
import { runBaseline } from "@fedmkt/shared/use-cases/run-baseline.ts";
import { serverDistil } from "@fedmkt/shared/use-cases/server-distil.ts";
import { serverExtract } from "@fedmkt/shared/use-cases/server-extract.ts";

/** A use case for every stage that a worker hosts. A stage that is missing here does not compile. */
export type WorkerUseCases<D = WorkerDependencies> = {
  [S in WorkerStageName]: (deps: D) => (input: StageInput<S>) => Promise<StageOutput<S>>;
};

export const WORKER_USE_CASES: WorkerUseCases = {
  "run-baseline": runBaseline,
  "client-train": clientTrain,
  "server-extract": serverExtract,
  "server-distil": serverDistil,
  "client-distil": clientDistil,
  evaluate,
};
