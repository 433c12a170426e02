import type { WorkerJob } from "@fedmkt/shared/contracts/job.ts";
import type { TaskCallback } from "@fedmkt/shared/ports/task-callback.ts";
import { type houseLogger, identityOf } from "@fedmkt/shared/runtime/house-logger.ts";
import { parseStageOutput, stageFailure } from "@fedmkt/shared/runtime/stage-failure.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { parseJob } from "./parse-job.ts";
import type { WorkerUseCases } from "./stages.ts";

/** Beats in the time after which the state gives up: two may get lost. */
const BEATS_PER_TIMEOUT = 3;

export interface RunJob<D> {
  /** the job as JSON, as the machine sends it */
  job: string;
  /** of the state that waits */
  token: string;
  /** the state gives up after this long without a heartbeat */
  heartbeatSeconds: number;
  deps: D;
  useCases: WorkerUseCases<D>;
  callback: TaskCallback;
  logger: Pick<ReturnType<typeof houseLogger>, "info" | "warn" | "error">;
  /** aborted when this machine is taken away; the reason says how the job then counts (TransientError: done again elsewhere) */
  signal: AbortSignal;
}

/** `gone`: nobody waited any more, the job was given up without an answer. */
export type JobOutcome = "succeeded" | "failed" | "gone";

/**
 * Runs one job to its end and answers its token exactly once. Work under way is not undone when the job is given up: what it
 * has written is committed by its manifest alone, so that the next try begins cleanly. The caller then ends the process.
 */
export async function runJob<D>(options: RunJob<D>): Promise<JobOutcome> {
  const { token, callback, logger, signal } = options;
  const heartbeat = startHeartbeat(callback, token, (options.heartbeatSeconds * 1000) / BEATS_PER_TIMEOUT, (error) =>
    logger.warn("heartbeat failed", { error }),
  );
  let identity = {};
  try {
    const job = parseJob(options.job);
    identity = identityOf(job);
    logger.info("job started", identity);
    const end = await Promise.race([work(options, job), heartbeat.gone, aborted(signal)]);
    if (end === undefined) {
      logger.warn("job given up: nobody waits for it any more", identity);
      return "gone";
    }
    await callback.succeed(token, end);
    logger.info("job done", identity);
    return "succeeded";
  } catch (thrown) {
    const failure = stageFailure("worker", thrown);
    logger.error("job failed", { ...identity, code: failure.code, error: failure });
    await callback.fail(token, { name: failure.name, cause: failure.message });
    return "failed";
  } finally {
    heartbeat.stop();
  }
}

async function work<D>({ deps, useCases }: RunJob<D>, { stage, ...input }: WorkerJob): Promise<object> {
  // the job was parsed as the union of exactly these stages, so the use case fits its input
  const useCase = useCases[stage] as (deps: D) => (input: unknown) => Promise<unknown>;
  return parseStageOutput(stage, await useCase(deps)(input));
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
