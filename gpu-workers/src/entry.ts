import { taskEnvironment } from "@fedmkt/shared/contracts/environment.ts";
import { houseLogger } from "@fedmkt/shared/runtime/house-logger.ts";
import { issues } from "@fedmkt/shared/runtime/stage-failure.ts";
import { parseJob } from "./parse-job.ts";
import { listenForStop } from "./process-stop.ts";
import { type JobEnd, runJob } from "./run-job.ts";
import { workerServices } from "./worker-services.ts";

const logger = houseLogger("worker");
const task = taskEnvironment.safeParse(process.env);
if (!task.success) {
  logger.critical("environment refused", { reason: issues(task.error) });
  process.exit(2);
}

const stop = listenForStop(["SIGTERM"], logger);
const { services, close } = workerServices(process.env, task.data, logger);
let outcome: JobEnd["outcome"] = "failed";
try {
  ({ outcome } = await runJob({
    ...services,
    ...stop,
    job: () => parseJob(task.data.FEDMKT_JOB),
    token: task.data.FEDMKT_TASK_TOKEN,
    answersStop: true,
  }));
} catch (error) {
  logger.error("answer lost: the state waits until its heartbeat is missed, and tries again", {
    error: error as Error,
  });
}
// a job that was given up may still be computing: it is stopped, and the process ends, not only this function
await close();
process.exit(outcome === "succeeded" ? 0 : 1);
