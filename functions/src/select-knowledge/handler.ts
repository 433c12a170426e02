import { createStageHandler } from "@fedmkt/shared/runtime/create-stage-handler.ts";
import type { StageDependencies } from "@fedmkt/shared/use-cases/dependencies.ts";
import { selectKnowledge } from "@fedmkt/shared/use-cases/select-knowledge.ts";

export const createHandler = (deps: StageDependencies) => createStageHandler("select-knowledge", selectKnowledge, deps);
