import type { WorkerTasks } from "@fedmkt/shared/ports/worker-tasks.ts";
import { createStopTasksHandler } from "@fedmkt/shared/runtime/create-stop-tasks-handler.ts";
import { stopTasks } from "@fedmkt/shared/use-cases/stop-tasks.ts";

export const createHandler = (tasks: WorkerTasks) => createStopTasksHandler(stopTasks, { tasks });
