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
  /** in milliseconds, whether there was a turn or not */
  onWaited(waitedMs: number): void;
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
    onWaited(nowMs() - cameMs);
    reject(signal.reason);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  const leave = queue.join(
    {
      key,
      places,
      onTurn(waitedMs) {
        signal.removeEventListener("abort", onAbort);
        onWaited(waitedMs);
        resolve({ waitedMs, leave: () => leave(nowMs()) });
      },
      onRefused(retryAfterSeconds) {
        signal.removeEventListener("abort", onAbort);
        onWaited(nowMs() - cameMs);
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
