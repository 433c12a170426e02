import { createStageHandler } from "@fedmkt/shared/runtime/create-stage-handler.ts";
import type { StageDependencies } from "@fedmkt/shared/use-cases/dependencies.ts";
import { failRun } from "@fedmkt/shared/use-cases/fail-run.ts";

export const createHandler = (deps: StageDependencies) => createStageHandler("fail-run", failRun, deps);
