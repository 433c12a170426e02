import { randomUUID } from "node:crypto";
import type { AwsCredentials } from "@fedmkt/shared/adapters/aws/credentials.ts";
import { createProcessTrainer } from "@fedmkt/shared/adapters/trainer/process-trainer.ts";
import type { WorkerEnvironment } from "@fedmkt/shared/contracts/environment.ts";
import type { WorkerJob } from "@fedmkt/shared/contracts/job.ts";
import { createEngine } from "@fedmkt/shared/engine/engine.ts";
import type { Engine } from "@fedmkt/shared/ports/engine.ts";
import { stageDependencies, taskCallback } from "@fedmkt/shared/runtime/dependencies.ts";
import type { WorkerDependencies } from "@fedmkt/shared/use-cases/dependencies.ts";
import { recordUsage } from "@fedmkt/shared/use-cases/record-usage.ts";
import type { RunJob, WorkerLogger } from "./run-job.ts";
import { WORKER_USE_CASES } from "./stages.ts";

/** Given to native code to end its threads in; what still computes then goes with the process. */
const CLOSE_MS = 3_000;

/** What a worker gives to each of its jobs, whichever way they come. */
export type JobServices = Pick<
  RunJob<Omit<WorkerDependencies, "interruption">>,
  "deps" | "useCases" | "callback" | "recordUsage" | "heartbeatSeconds" | "logger"
>;

export interface WorkerServices {
  services: JobServices;
  engine: Engine;
  /** Ends the engine, or leaves it to the process's end where a long computation is under way. */
  close(): Promise<void>;
}

/** @param credentials - towards the coordinator; absent: the process's own */
export function workerServices(
  variables: NodeJS.ProcessEnv,
  settings: WorkerEnvironment,
  logger: WorkerLogger,
  credentials?: AwsCredentials,
): WorkerServices {
  const actsAs = credentials === undefined ? {} : { credentials };
  const stage = stageDependencies(variables, actsAs);
  const { FEDMKT_DEVICE: device, FEDMKT_TRAINER: command } = settings;
  const engine =
    command === undefined
      ? createEngine(device, (graph, placement) => logger.info("placed", { graph, ...placement }))
      : createProcessTrainer({ command, device });
  return {
    engine,
    services: {
      deps: {
        ...stage,
        engine,
        checkpoints: { everyMs: settings.FEDMKT_CHECKPOINT_SECONDS * 1000, nowMs: () => performance.now() },
        warn: (message, facts) => logger.warn(message, facts),
      },
      useCases: WORKER_USE_CASES,
      callback: taskCallback(actsAs),
      recordUsage: (job, seconds) =>
        recordUsage(stage, randomUUID(), {
          ...usedBy(job),
          seconds,
          instanceType: settings.FEDMKT_INSTANCE_TYPE ?? null,
          spot: settings.FEDMKT_SPOT === "true",
        }),
      heartbeatSeconds: settings.FEDMKT_HEARTBEAT_SECONDS,
      logger,
    },
    close: () => Promise.race([engine.close(), new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS).unref())]),
  };
}

/** A baseline goes over all rounds: it counts as of none. */
function usedBy({ run, stage, party, ...rest }: WorkerJob) {
  return { run, stage, party, round: "round" in rest ? rest.round : 0 };
}
