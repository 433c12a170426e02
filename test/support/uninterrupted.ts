import type { WorkerDependencies } from "../../shared/src/use-cases/dependencies.ts";

/** A worker that nothing interrupts, that writes no checkpoint, and whose warnings nobody reads. */
export const UNINTERRUPTED: Pick<WorkerDependencies, "interruption" | "checkpoints" | "warn"> = {
  interruption: { signal: new AbortController().signal, hold: () => () => undefined },
  checkpoints: { everyMs: Number.POSITIVE_INFINITY, nowMs: () => 0 },
  warn: () => undefined,
};
