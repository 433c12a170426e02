import { taskEnvironment } from "@fedmkt/shared/contracts/environment.ts";
import { TransientError } from "@fedmkt/shared/core/errors.ts";
import { createEngine } from "@fedmkt/shared/engine/engine.ts";
import { stageDependencies, taskCallback } from "@fedmkt/shared/runtime/dependencies.ts";
import { houseLogger } from "@fedmkt/shared/runtime/house-logger.ts";
import { issues } from "@fedmkt/shared/runtime/stage-failure.ts";
import { runJob } from "./run-job.ts";
import { WORKER_USE_CASES } from "./stages.ts";

const logger = houseLogger("worker");
const task = taskEnvironment.safeParse(process.env);
if (!task.success) {
  logger.critical("environment refused", { reason: issues(task.error) });
  process.exit(2);
}

// ECS sends SIGTERM half a minute before it takes the machine away (spot, scale-in, a stopped task)
const interruption = new AbortController();
process.once("SIGTERM", () =>
  interruption.abort(new TransientError("WORKER_STOPPED", "the worker was stopped by SIGTERM before its job was done")),
);
process.once("uncaughtException", (error) => interruption.abort(error));
process.once("unhandledRejection", (reason) => interruption.abort(reason));

const { FEDMKT_JOB, FEDMKT_TASK_TOKEN, FEDMKT_HEARTBEAT_SECONDS } = task.data;
const engine = createEngine();
const outcome = await runJob({
  job: FEDMKT_JOB,
  token: FEDMKT_TASK_TOKEN,
  heartbeatSeconds: FEDMKT_HEARTBEAT_SECONDS,
  deps: { ...stageDependencies(process.env), engine },
  useCases: WORKER_USE_CASES,
  callback: taskCallback(),
  logger,
  signal: interruption.signal,
});
// a job that was given up may still be computing: it is stopped, and the process ends, not only this function
await engine.close();
process.exit(outcome === "succeeded" ? 0 : 1);
