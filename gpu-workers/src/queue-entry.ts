import { houseLogger } from "@fedmkt/shared/runtime/house-logger.ts";
import { stageFailure } from "@fedmkt/shared/runtime/stage-failure.ts";
import { listenForStop } from "./process-stop.ts";
import { runQueueWorker } from "./run-queue-worker.ts";

const logger = houseLogger("worker");
const stop = listenForStop(["SIGTERM", "SIGINT"], logger);
try {
  await runQueueWorker({ variables: process.env, logger, ...stop });
} catch (thrown) {
  const failure = stageFailure("worker", thrown);
  logger.critical("worker failed", { code: failure.code, error: failure });
  process.exit(2);
}
process.exit(stop.gaveUp.aborted && !stop.stopping.aborted ? 1 : 0);
