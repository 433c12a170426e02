import { createStageHandler } from "@fedmkt/shared/runtime/create-stage-handler.ts";
import type { PublishDependencies } from "@fedmkt/shared/use-cases/dependencies.ts";
import { publishRun } from "@fedmkt/shared/use-cases/publish-run.ts";

export const createHandler = (deps: PublishDependencies) => createStageHandler("publish-run", publishRun, deps);
