import { createStageHandler } from "@fedmkt/shared/runtime/create-stage-handler.ts";
import type { PlanDependencies } from "@fedmkt/shared/use-cases/dependencies.ts";
import { planRun } from "@fedmkt/shared/use-cases/plan-run.ts";

export const createHandler = (deps: PlanDependencies) => createStageHandler("plan-run", planRun, deps);
