import { taskCallback } from "@fedmkt/shared/runtime/dependencies.ts";
import { createHandler } from "./handler.ts";

export const handler = createHandler(taskCallback());
