export { createFailTaskHandler as createHandler } from "@fedmkt/shared/runtime/create-fail-task-handler.ts";
