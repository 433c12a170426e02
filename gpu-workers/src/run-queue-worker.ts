import { partyCredentials, requirePartyRole } from "@fedmkt/shared/adapters/aws/party-credentials.ts";
import { requireTrainer } from "@fedmkt/shared/adapters/trainer/process-trainer.ts";
import { queueWorkerEnvironment } from "@fedmkt/shared/contracts/environment.ts";
import type { ProgressEvent } from "@fedmkt/shared/contracts/progress.ts";
import { InvalidInputError, TransientError } from "@fedmkt/shared/core/errors.ts";
import { jobQueue } from "@fedmkt/shared/runtime/job-queue.ts";
import { issues } from "@fedmkt/shared/runtime/stage-failure.ts";
import type { ProcessStop } from "./process-stop.ts";
import { serveQueue } from "./queue-worker.ts";
import type { WorkerLogger } from "./run-job.ts";
import { workerServices } from "./worker-services.ts";

/** The longest that SQS lets a request wait: the fewest requests while there is nothing to do. */
const WAIT_SECONDS = 20;
/** An emulator hands a message to a worker that died while it waited, so that waits are kept short there. */
const EMULATOR_WAIT_SECONDS = 1;

export interface RunQueueWorker extends ProcessStop {
  /** as `queueWorkerEnvironment` lists them */
  variables: NodeJS.ProcessEnv;
  logger: WorkerLogger;
  /** whether the worker leaves once its queue is empty */
  once?: boolean;
  /** where progress goes; into the log unless given */
  onProgress?: (event: ProgressEvent) => void;
}

/**
 * A party's worker at its own site or in a container: takes jobs from the party's queue until it is told to stop. It only calls
 * out, by HTTPS: with the party's role where one is named, whose credentials are fetched anew every hour.
 *
 * What would fail every job is found before the first is taken: a job that is taken and refused fails its run.
 * @throws InvalidInputError `ENVIRONMENT_INVALID` naming the variables, `DEVICE_UNAVAILABLE`, `TRAINER_UNAVAILABLE`, `CREDENTIALS_MISSING`, `ACCESS_DENIED`, and
 *   whatever the queue refuses the first request with
 */
export async function runQueueWorker(options: RunQueueWorker): Promise<void> {
  const { variables, logger, stopping, gaveUp, once, onProgress } = options;
  const result = queueWorkerEnvironment.safeParse(variables);
  if (!result.success) throw new InvalidInputError("ENVIRONMENT_INVALID", `environment: ${issues(result.error)}`);
  const settings = result.data;
  const { FEDMKT_PARTY: party, FEDMKT_PARTY_ROLE_ARN: roleArn, FEDMKT_EXTERNAL_ID: externalId } = settings;
  if (settings.FEDMKT_TRAINER !== undefined) await requireTrainer(settings.FEDMKT_TRAINER);
  else if (settings.FEDMKT_DEVICE !== "cpu") {
    // the engine's threads load ONNX Runtime for themselves: on the processor this one needs none of it
    const { requireDevice } = await import("@fedmkt/shared/engine/session.ts");
    await requireDevice(settings.FEDMKT_DEVICE);
  }
  const credentials = roleArn === undefined ? undefined : partyCredentials({ roleArn, party, externalId });
  if (credentials !== undefined)
    await requirePartyRole(credentials, roleArn!).catch((error) => {
      // a network that is not there yet comes: the queue is tried again and again
      if (!(error instanceof TransientError)) throw error;
      logger.warn("role cannot be taken yet", { error });
    });
  const { services, close } = workerServices(variables, settings, logger, credentials);
  const isEmulator = (variables.AWS_ENDPOINT_URL_SQS ?? variables.AWS_ENDPOINT_URL) !== undefined;
  try {
    await serveQueue({
      ...services,
      deps: onProgress === undefined ? services.deps : { ...services.deps, progress: onProgress },
      stopping,
      gaveUp,
      once,
      queue: jobQueue(settings.FEDMKT_JOB_QUEUE_URL, credentials),
      party,
      waitSeconds: isEmulator ? EMULATOR_WAIT_SECONDS : WAIT_SECONDS,
    });
  } finally {
    await close();
  }
}
