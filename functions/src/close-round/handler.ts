import { createStageHandler } from "@fedmkt/shared/runtime/create-stage-handler.ts";
import { closeRound } from "@fedmkt/shared/use-cases/close-round.ts";
import type { StageDependencies } from "@fedmkt/shared/use-cases/dependencies.ts";

export const createHandler = (deps: StageDependencies) => createStageHandler("close-round", closeRound, deps);
