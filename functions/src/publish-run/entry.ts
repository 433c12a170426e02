import { publishDependencies } from "@fedmkt/shared/runtime/dependencies.ts";
import { createHandler } from "./handler.ts";

export const handler = createHandler(publishDependencies(process.env));
