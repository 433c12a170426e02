import { PostponedRequest } from "../../contracts/openai/errors.ts";
import type { FairQueue } from "../../core/serving/fair-queue.ts";

/** A request's time at work. */
export interface Turn {
  waitedMs: number;
  /** Must be called once it ends, however it does. */
  leave(): void;
}

export interface TurnOptions {
  key: string;
  places: number;
  signal: AbortSignal;
  nowMs(): number;
  /**
   * In milliseconds, whether there was a turn or not.
   * @param awayMs - for how long it was sent away, which it would have waited else; 0: it was not
   */
  onWaited(waitedMs: number, awayMs: number): void;
}

/**
 * Waits until it is a request's turn.
 * @throws PostponedRequest `QUEUE_FULL` 429; the signal's reason
 */
export function takeTurn(queue: FairQueue, { key, places, signal, nowMs, onWaited }: TurnOptions): Promise<Turn> {
  const { promise, resolve, reject } = Promise.withResolvers<Turn>();
  signal.throwIfAborted();
  const cameMs = nowMs();
  const onAbort = () => {
    leave(nowMs());
    onWaited(nowMs() - cameMs, 0);
    reject(signal.reason);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  const leave = queue.join(
    {
      key,
      places,
      onTurn(waitedMs) {
        signal.removeEventListener("abort", onAbort);
        onWaited(waitedMs, 0);
        resolve({ waitedMs, leave: () => leave(nowMs()) });
      },
      onRefused(retryAfterSeconds) {
        signal.removeEventListener("abort", onAbort);
        onWaited(nowMs() - cameMs, retryAfterSeconds * 1000);
        reject(
          new PostponedRequest("QUEUE_FULL", `too many requests wait: try again in ${retryAfterSeconds} s`, {
            status: 429,
            retryAfterSeconds,
          }),
        );
      },
    },
    cameMs,
  );
  return promise;
}
