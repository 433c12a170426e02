import { messageQueue, stageDependencies, taskCallback } from "@fedmkt/shared/runtime/dependencies.ts";
import { createHandler } from "./handler.ts";

export const handler = createHandler(stageDependencies(process.env), taskCallback(), messageQueue());
