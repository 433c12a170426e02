import { stageDependencies } from "@fedmkt/shared/runtime/dependencies.ts";
import { createHandler } from "./handler.ts";

export const handler = createHandler(stageDependencies(process.env));
