import { createStageHandler } from "@fedmkt/shared/runtime/create-stage-handler.ts";
import { averageAdapters } from "@fedmkt/shared/use-cases/average-adapters.ts";
import type { StageDependencies } from "@fedmkt/shared/use-cases/dependencies.ts";

export const createHandler = (deps: StageDependencies) => createStageHandler("average-adapters", averageAdapters, deps);
