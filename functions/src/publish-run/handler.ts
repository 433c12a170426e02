import { createStageHandler } from "@fedmkt/shared/runtime/create-stage-handler.ts";
import type { StageDependencies } from "@fedmkt/shared/use-cases/dependencies.ts";
import { publishRun } from "@fedmkt/shared/use-cases/publish-run.ts";

export const createHandler = (deps: StageDependencies) => createStageHandler("publish-run", publishRun, deps);
