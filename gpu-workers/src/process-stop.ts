import { TransientError } from "@fedmkt/shared/core/errors.ts";
import type { WorkerLogger } from "./run-job.ts";

/**
 * ECS lets a container live for half a minute after SIGTERM unless it is told otherwise, and so does Docker nearly. Spot
 * interruptions, scale-in and stopped tasks all come as that signal.
 */
const GRACE_MS = 30_000;
/** Until then a job may write its checkpoint; the rest is for its answer. */
const GIVE_UP_MS = 20_000;
/** Ends a process whose last words do not get through. */
const EXIT_MS = GRACE_MS - 3_000;

/** How a worker's process learns that it is to end. */
export interface ProcessStop {
  /** the first signal came: no new work, and work under way puts itself down */
  stopping: AbortSignal;
  /** there is no time left, or the process is broken: what is under way is given up */
  gaveUp: AbortSignal;
}

/** Listens for signals, and for errors that nobody caught. The first signal asks, the second ends the process at once. */
export function listenForStop(
  signals: readonly ("SIGTERM" | "SIGINT")[],
  logger: Pick<WorkerLogger, "warn" | "error">,
): ProcessStop {
  const stopping = new AbortController();
  const gaveUp = new AbortController();
  const stop = (signal: NodeJS.Signals) => {
    if (stopping.signal.aborted) process.exit(1);
    logger.warn("worker is to stop", { signal });
    const reason = new TransientError("WORKER_STOPPED", `the worker was stopped by ${signal} before its job was done`);
    stopping.abort(reason);
    setTimeout(() => gaveUp.abort(reason), GIVE_UP_MS).unref();
    setTimeout(() => process.exit(1), EXIT_MS).unref();
  };
  for (const signal of signals) process.on(signal, stop);
  const broken = (thrown: unknown) => {
    logger.error("worker is broken: an error was caught by nobody", { error: thrown });
    gaveUp.abort(thrown);
  };
  process.on("uncaughtException", broken);
  process.on("unhandledRejection", broken);
  return { stopping: stopping.signal, gaveUp: gaveUp.signal };
}
