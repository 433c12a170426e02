import type { TaskCallback } from "@fedmkt/shared/ports/task-callback.ts";

export interface Heartbeat {
  /** resolves once nobody waits for the token any more; never rejects */
  gone: Promise<void>;
  /** Sends one now. */
  beat(): void;
  stop(): void;
}

/**
 * Tells the waiting state, at once and then at intervals, that the job is alive. A heartbeat that does not get through is
 * reported and tried again at the next interval: the state allows for several missing ones.
 */
export function startHeartbeat(
  callback: Pick<TaskCallback, "heartbeat">,
  token: string,
  intervalMs: number,
  onTrouble: (error: Error) => void,
): Heartbeat {
  let tell = (): void => undefined;
  const gone = new Promise<void>((resolve) => {
    tell = resolve;
  });
  let stopped = false;
  const beat = async (): Promise<void> => {
    try {
      if ((await callback.heartbeat(token)) === "gone" && !stopped) tell();
    } catch (error) {
      onTrouble(error as Error);
    }
  };
  const timer = setInterval(beat, intervalMs);
  void beat();
  return {
    gone,
    beat: () => void beat(),
    stop: () => {
      stopped = true;
      clearInterval(timer);
    },
  };
}
