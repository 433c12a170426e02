import { setTimeout } from "node:timers/promises";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { JobQueue, QueuedMessage } from "@fedmkt/shared/ports/job-queue.ts";
import type { WorkerDependencies } from "@fedmkt/shared/use-cases/dependencies.ts";
import { type AnswerableMessage, parseJobMessage } from "./parse-job.ts";
import type { ProcessStop } from "./process-stop.ts";
import { runJob } from "./run-job.ts";
import type { JobServices } from "./worker-services.ts";

/** A message of a worker that died comes again after this long. */
export const HIDDEN_SECONDS = 120;
/** Times that a message is hidden again before it would come: two may get lost. */
export const HIDES_PER_TIMEOUT = 3;
/** A message that nobody can read, or whose answer got lost, comes again after this long, up to its queue's limit. */
const AGAIN_SECONDS = 10;
/** A wait for messages is broken off this long after the worker was told to stop: one that is on its way still arrives. */
const DRAIN_MS = 1_000;
/** Waits between tries while the queue cannot be reached: doubled from the first to the last. */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

export interface QueueWorker extends JobServices, ProcessStop {
  queue: JobQueue;
  /** whose jobs are done; others' are refused */
  party: string;
  /** how long one request waits for a message */
  waitSeconds: number;
  /** how long a message stays hidden without being hidden again; also how soon a dead worker's job is taken up */
  hiddenSeconds?: number;
  /** ends once a wait brings no message, instead of waiting for more */
  once?: boolean;
}

/**
 * Takes a party's jobs from its queue, one at a time, until it is told to stop. A message is taken off the queue once its token
 * is answered or nobody waits for it; until then it stays hidden while the worker lives, and comes to another when it does not. A
 * job that is interrupted is given back at once, with its checkpoint written.
 * @throws InvalidInputError what the queue refuses the very first request with: it is not there, or not for this worker
 */
export async function serveQueue(worker: QueueWorker): Promise<void> {
  const { queue, logger, stopping, gaveUp, waitSeconds, hiddenSeconds = HIDDEN_SECONDS, once } = worker;
  const leaving = AbortSignal.any([stopping, gaveUp]);
  const drained = new AbortController();
  const drain = () => void setTimeout(DRAIN_MS, undefined, { ref: false }).then(() => drained.abort());
  leaving.addEventListener("abort", drain, { once: true });
  let retryMs = FIRST_RETRY_MS;
  let hasReached = false;
  logger.info("worker waits for jobs", { party: worker.party });
  while (!leaving.aborted) {
    let message: QueuedMessage | null;
    try {
      message = await queue.receive({ waitSeconds, hiddenSeconds, signal: drained.signal });
      retryMs = FIRST_RETRY_MS;
      hasReached = true;
    } catch (error) {
      // what is refused from the start needs a person; later it may be a deployment that is being changed
      if (!hasReached && error instanceof InvalidInputError) throw error;
      logger.warn("queue cannot be read", { error, againInSeconds: retryMs / 1000 });
      await setTimeout(retryMs, undefined, { signal: leaving }).catch(() => undefined);
      retryMs = Math.min(2 * retryMs, LAST_RETRY_MS);
      continue;
    }
    if (message === null) {
      if (once) break;
      continue;
    }
    if (leaving.aborted) await giveBack(worker, message, 0);
    else await take(worker, message, hiddenSeconds);
  }
  logger.info("worker leaves", { party: worker.party });
}

async function take(worker: QueueWorker, message: QueuedMessage, hiddenSeconds: number): Promise<void> {
  const { logger, party } = worker;
  const answerable = parseJobMessage(message.body, party);
  if (answerable === null) {
    logger.error("message refused: it names no token", { code: "MESSAGE_INVALID", characters: message.body.length });
    return giveBack(worker, message, AGAIN_SECONDS);
  }
  const hidden = keepHidden(worker, message, hiddenSeconds);
  let end: "answered" | "stopped" | "lost";
  try {
    end = await work(worker, answerable);
  } finally {
    await hidden.stop();
  }
  if (end === "stopped") return giveBack(worker, message, 0);
  if (end === "lost") return giveBack(worker, message, AGAIN_SECONDS);
  try {
    await worker.queue.delete(message);
  } catch (error) {
    logger.warn("message could not be deleted: it comes again and finds its job done", { error });
  }
}

async function work(worker: QueueWorker, { token, job }: AnswerableMessage): Promise<"answered" | "stopped" | "lost"> {
  try {
    const { outcome, settled } = await runJob<Omit<WorkerDependencies, "interruption">>({
      ...worker,
      token,
      job,
      answersStop: false,
    });
    if (outcome === "stopped") return "stopped";
    // one job at a time: the engine is still at what nobody waits for
    await whileThereIsTime(settled, worker.gaveUp);
    return "answered";
  } catch (error) {
    worker.logger.warn("answer lost: the job comes again", { error });
    return "lost";
  }
}

async function whileThereIsTime(settled: Promise<void>, gaveUp: AbortSignal): Promise<void> {
  const over = new AbortController(); // the worker's signal outlives thousands of jobs
  const late = new Promise<void>((resolve) => {
    if (gaveUp.aborted) resolve();
    gaveUp.addEventListener("abort", () => resolve(), { signal: over.signal });
  });
  await Promise.race([settled, late]);
  over.abort();
}

/** Hides a message again and again. SQS ends that after twelve hours: the message then comes again, and finds its job done or under way. */
function keepHidden({ queue, logger }: QueueWorker, message: QueuedMessage, seconds: number) {
  let last = Promise.resolve();
  const timer = setInterval(
    () => {
      last = queue
        .hide(message, seconds)
        .catch((error) => logger.warn("message could not be kept hidden: another worker may take it too", { error }));
    },
    (seconds * 1000) / HIDES_PER_TIMEOUT,
  );
  return {
    stop(): Promise<void> {
      clearInterval(timer);
      return last;
    },
  };
}

async function giveBack({ queue, logger }: QueueWorker, message: QueuedMessage, seconds: number): Promise<void> {
  try {
    await queue.hide(message, seconds);
  } catch (error) {
    logger.warn("message could not be given back: it comes again by itself", { error });
  }
}
