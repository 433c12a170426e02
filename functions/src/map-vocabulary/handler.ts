import { createStageHandler } from "@fedmkt/shared/runtime/create-stage-handler.ts";
import type { StageDependencies } from "@fedmkt/shared/use-cases/dependencies.ts";
import { mapVocabulary } from "@fedmkt/shared/use-cases/map-vocabulary.ts";

export const createHandler = (deps: StageDependencies) => createStageHandler("map-vocabulary", mapVocabulary, deps);
