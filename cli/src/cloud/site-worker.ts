import type { ProgressEvent } from "@fedmkt/shared/contracts/progress.ts";
import type { SiteFile } from "@fedmkt/shared/contracts/site-file.ts";
import { TransientError } from "@fedmkt/shared/core/errors.ts";

export interface SiteWorkerOptions {
  site: SiteFile;
  /** private data are read below it, and nothing else of the machine */
  dataFolder: string;
  device: "cpu" | "cuda";
  /** ends once the queue is empty */
  once: boolean;
  /** aborted when the worker is to leave: the job under way puts itself down and goes back to the queue */
  signal: AbortSignal;
  onProgress: (event: ProgressEvent) => void;
  onLog: (level: "info" | "warn" | "error", message: string, facts: Readonly<Record<string, unknown>>) => void;
}

/** Takes a client's jobs from its queue in this process, with the party's role, until the signal comes. */
export async function runSiteWorker(options: SiteWorkerOptions): Promise<void> {
  const { site, dataFolder, device, once, signal, onProgress, onLog } = options;
  // every client of AWS in this process is for the coordinator's region; what else it needs stays as it is
  process.env.AWS_REGION = site.region;
  const variables = {
    ...process.env,
    FEDMKT_CONTROL_BUCKET: site.buckets.control,
    FEDMKT_ARTEFACT_BUCKET: site.buckets.artefacts,
    FEDMKT_REGISTRY_BUCKET: site.buckets.registry,
    FEDMKT_DATA_FOLDER: dataFolder,
    FEDMKT_LOCAL_FILES: "false",
    FEDMKT_DEVICE: device,
    FEDMKT_JOB_QUEUE_URL: site.queueUrl,
    FEDMKT_PARTY: site.client,
    FEDMKT_PARTY_ROLE_ARN: site.roleArn,
    ...(site.externalId === null ? {} : { FEDMKT_EXTERNAL_ID: site.externalId }),
  };
  const tell =
    (level: "info" | "warn" | "error") =>
    (message: unknown, ...[facts]: readonly unknown[]) =>
      onLog(level, String(message), typeof facts === "object" && facts !== null ? { ...facts } : {});
  const logger = { info: tell("info"), warn: tell("warn"), error: tell("error") };
  const { runQueueWorker } = await import("@fedmkt/gpu-workers/run-queue-worker.ts");
  await runQueueWorker({ variables, logger, once, onProgress, ...leaveOn(signal) });
}

/** As long as a container has for its checkpoint: whoever presses Ctrl-C waits no longer, and presses it again to leave at once. */
const GIVE_UP_MS = 20_000;

function leaveOn(signal: AbortSignal): { stopping: AbortSignal; gaveUp: AbortSignal } {
  const stopping = new AbortController();
  const gaveUp = new AbortController();
  const leave = () => {
    const reason = new TransientError("WORKER_STOPPED", "the worker was stopped by hand before its job was done");
    stopping.abort(reason);
    setTimeout(() => gaveUp.abort(reason), GIVE_UP_MS).unref();
  };
  if (signal.aborted) leave();
  else signal.addEventListener("abort", leave, { once: true });
  return { stopping: stopping.signal, gaveUp: gaveUp.signal };
}
