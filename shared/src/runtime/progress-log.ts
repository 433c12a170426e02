import type { Logger } from "@aws-lambda-powertools/logger";
import type { ProgressEvent } from "../contracts/progress.ts";

/** At most five lines a second: enough for a smooth bar, little enough for a log that is paid for by the byte. */
const INTERVAL_MS = 200;

/**
 * Progress as structured log lines, `{"level":"INFO","message":"progress","progress":{…}}`, thinned out within a phase; a
 * phase's first event and its last (step = steps) always come.
 * @param now - milliseconds, monotonic
 */
export function logProgress(logger: Pick<Logger, "info">, now: () => number = () => performance.now()) {
  let phase = "";
  let lastMs = 0;
  return (event: ProgressEvent): void => {
    const current = `${event.run} ${event.round} ${event.stage} ${event.party} ${event.phase}`;
    const first = current !== phase;
    const last = event.step !== undefined && event.step === event.steps;
    if (!first && !last && now() - lastMs < INTERVAL_MS) return;
    phase = current;
    lastMs = now();
    logger.info("progress", { progress: event });
  };
}
