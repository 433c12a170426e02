import { createFailRunHandler } from "@fedmkt/shared/runtime/create-fail-run-handler.ts";
import type { StageDependencies } from "@fedmkt/shared/use-cases/dependencies.ts";
import { failRun } from "@fedmkt/shared/use-cases/fail-run.ts";

export const createHandler = (deps: StageDependencies) => createFailRunHandler(failRun, deps);
