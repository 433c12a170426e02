import { setTimeout } from "node:timers/promises";
import type { WorkerJob } from "@fedmkt/shared/contracts/job.ts";
import { jobFailureCause } from "@fedmkt/shared/contracts/job-failure.ts";
import { TransientError } from "@fedmkt/shared/core/errors.ts";
import type { Interruption } from "@fedmkt/shared/ports/interruption.ts";
import type { TaskCallback } from "@fedmkt/shared/ports/task-callback.ts";
import { type houseLogger, identityOf } from "@fedmkt/shared/runtime/house-logger.ts";
import { parseStageOutput, stageFailure } from "@fedmkt/shared/runtime/stage-failure.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { JobInterruption } from "./job-interruption.ts";
import type { WorkerUseCases } from "./stages.ts";

/** Beats in the time after which the state gives up: two may get lost. */
const BEATS_PER_TIMEOUT = 3;

/** Writing down what was used must not keep an answer back for longer. */
const RECORD_MS = 3_000;

export type WorkerLogger = Pick<ReturnType<typeof houseLogger>, "info" | "warn" | "error">;

export interface RunJob<D> {
  /** @throws InvalidInputError where what was sent is no job for this worker */
  job: () => WorkerJob;
  /** of the state that waits */
  token: string;
  /** the state gives up after this long without a heartbeat */
  heartbeatSeconds: number;
  deps: D;
  useCases: WorkerUseCases<D & { interruption: Interruption }>;
  callback: TaskCallback;
  logger: WorkerLogger;
  /** Writes down how long the attempt took; its trouble is logged and nothing else. */
  recordUsage: (job: WorkerJob, seconds: number) => Promise<void>;
  /** aborted when this machine is to be left: the job puts itself down and fails with the reason (TransientError: it is done again elsewhere) */
  stopping: AbortSignal;
  /** aborted when there is no time left, or the process is broken: the job fails with the reason at once */
  gaveUp: AbortSignal;
  /** false: a job that was stopped is left without an answer, since the same message and token will reach another worker */
  answersStop: boolean;
}

export interface JobEnd {
  /** `gone`: nobody waited any more; `stopped`: left without an answer, for another worker */
  outcome: "succeeded" | "failed" | "gone" | "stopped";
  /** resolves when nothing of the job is under way any more, which may be later */
  settled: Promise<void>;
}

/**
 * Runs one job to its end and answers its token exactly once. Work under way is not undone when the job is given up: what it
 * has written is committed by its manifest alone, so that the next try begins cleanly, at the training's last checkpoint.
 * @throws what answering throws: then nobody knows of the end
 */
export async function runJob<D>(options: RunJob<D>): Promise<JobEnd> {
  const { token, callback, logger, stopping, gaveUp } = options;
  const startedMs = performance.now();
  const over = new AbortController();
  const interruption = new JobInterruption();
  const heartbeat = startHeartbeat(callback, token, (options.heartbeatSeconds * 1000) / BEATS_PER_TIMEOUT, (error) =>
    logger.warn("heartbeat failed", { error }),
  );
  const stop = () => {
    heartbeat.beat();
    interruption.interrupt(stopping.reason);
  };
  let identity = {};
  let settled = Promise.resolve();
  try {
    let end: object | null = null;
    let failed: unknown = null;
    let job: WorkerJob | null = null;
    try {
      job = options.job();
      identity = identityOf(job);
      logger.info("job started", identity);
      const working = work(options, interruption, job);
      settled = working.then(
        () => undefined,
        () => undefined,
      );
      stopping.addEventListener("abort", stop, { signal: over.signal });
      if (stopping.aborted) stop();
      end = await Promise.race([
        working,
        heartbeat.gone.then(() => null),
        interruption.due,
        aborted(gaveUp, over.signal),
      ]);
    } catch (thrown) {
      failed = thrown;
      if (gaveUp.aborted) interruption.interrupt(gaveUp.reason); // else it would go on for as long as it takes
    }
    if (job !== null) await recordSoon(options, job, (performance.now() - startedMs) / 1000);
    if (failed !== null) return { outcome: await answerFailure(options, identity, failed), settled };
    if (end === null) {
      logger.warn("job given up: nobody waits for it any more", identity);
      interruption.interrupt(new TransientError("TOKEN_GONE", "nobody waits for the job any more"));
      return { outcome: "gone", settled };
    }
    await callback.succeed(token, end);
    logger.info("job done", identity);
    return { outcome: "succeeded", settled };
  } finally {
    over.abort();
    heartbeat.stop();
  }
}

async function answerFailure<D>(
  { callback, token, logger, stopping, answersStop }: RunJob<D>,
  identity: Readonly<Record<string, unknown>>,
  thrown: unknown,
): Promise<"failed" | "stopped"> {
  const failure = stageFailure("worker", thrown);
  if (stopping.aborted && thrown === stopping.reason) {
    logger.warn("job put down: the worker was stopped", { ...identity, code: failure.code });
    if (!answersStop) return "stopped";
  } else logger.error("job failed", { ...identity, code: failure.code, error: failure });
  await callback.fail(token, { name: failure.name, cause: jobFailureCause(failure, identity) });
  return "failed";
}

async function work<D>(
  { deps, useCases }: RunJob<D>,
  interruption: Interruption,
  { stage, ...input }: WorkerJob,
): Promise<object> {
  // the job was parsed as the union of exactly these stages, so the use case fits its input
  const useCase = useCases[stage] as (deps: D & { interruption: Interruption }) => (input: unknown) => Promise<unknown>;
  return parseStageOutput(stage, await useCase({ ...deps, interruption })(input));
}

async function recordSoon<D>({ recordUsage, logger }: RunJob<D>, job: WorkerJob, seconds: number): Promise<void> {
  const recorded = recordUsage(job, seconds).catch((error) =>
    logger.warn("usage could not be written", { ...identityOf(job), error }),
  );
  const late = new AbortController();
  await Promise.race([recorded, setTimeout(RECORD_MS, undefined, { signal: late.signal }).catch(() => undefined)]);
  late.abort();
}

/** @param over - when nobody asks any more: a worker's signal outlives thousands of jobs */
function aborted(signal: AbortSignal, over: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true, signal: over });
  });
}
