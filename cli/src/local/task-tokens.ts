import { randomUUID } from "node:crypto";
import { namedError } from "./named-error.ts";

/** Node's timers overflow past 2^31 ms and then fire at once; the longest wait that is kept to. */
export const MAX_TIMER_MS = 2_147_000_000;

export interface TokenLimits {
  /** longest time between two heartbeats */
  heartbeatSeconds?: number;
  /** longest time from start to answer */
  timeoutSeconds?: number;
}

/** One waiting task. */
export interface WaitingTask {
  token: string;
  /** settles with the task's answer; rejects with an error whose name is what Retry and Catch match on */
  answer: Promise<unknown>;
  /**
   * Starts both clocks. A task that waits for its place on this machine has not begun: there is nobody yet to send a
   * heartbeat, and a cloud would have given it a machine of its own.
   */
  start(): void;
  /** Gives the token up, as when its execution ended: later calls with it get `TaskTimedOut`. */
  fail(name: string, cause: string): void;
}

export interface TaskTokens {
  issue(limits: TokenLimits): WaitingTask;
  /** @throws an error named `TaskTimedOut` where nobody waits for the token any more, `InvalidToken` where it never was one */
  succeed(token: string, output: unknown): void;
  fail(token: string, name: string, cause: string): void;
  heartbeat(token: string): void;
  /** tokens that somebody waits for */
  waiting(): number;
}

export function taskTokens(): TaskTokens {
  const waiting = new Map<
    string,
    { succeed(output: unknown): void; fail(name: string, cause: string): void; beat(): void }
  >();
  const known = (token: string) => {
    const task = waiting.get(token);
    if (task) return task;
    if (!TOKEN.test(token ?? "")) throw namedError("InvalidToken", "Invalid token");
    throw namedError("TaskTimedOut", "Task Timed Out: the state no longer waits for this token");
  };
  return {
    issue(limits) {
      const token = `${PREFIX}${randomUUID()}`;
      const { promise: answer, resolve, reject } = Promise.withResolvers<unknown>();
      answer.catch(() => {}); // a task may fail before the machine looks at it
      let heartbeatTimer: NodeJS.Timeout | undefined;
      let timeoutTimer: NodeJS.Timeout | undefined;
      let started = false;
      const settle = (finish: () => void) => {
        clearTimeout(heartbeatTimer);
        clearTimeout(timeoutTimer);
        if (waiting.delete(token)) finish();
      };
      const fail = (name: string, cause: string) => settle(() => reject(namedError(name, cause)));
      const beat = () => {
        if (!started || limits.heartbeatSeconds === undefined) return;
        clearTimeout(heartbeatTimer);
        const lost = () => fail("States.HeartbeatTimeout", `no heartbeat for ${limits.heartbeatSeconds} s`);
        heartbeatTimer = setTimeout(lost, Math.min(limits.heartbeatSeconds * 1000, MAX_TIMER_MS));
      };
      waiting.set(token, { succeed: (output) => settle(() => resolve(output)), fail, beat });
      return {
        token,
        answer,
        fail,
        start() {
          if (started || !waiting.has(token)) return;
          started = true;
          beat();
          if (limits.timeoutSeconds === undefined) return;
          const late = () => fail("States.Timeout", `no answer within ${limits.timeoutSeconds} s`);
          timeoutTimer = setTimeout(late, Math.min(limits.timeoutSeconds * 1000, MAX_TIMER_MS));
        },
      };
    },
    succeed: (token, output) => known(token).succeed(output),
    fail: (token, name, cause) => known(token).fail(name, cause),
    heartbeat: (token) => known(token).beat(),
    waiting: () => waiting.size,
  };
}

const PREFIX = "local-task-";
const TOKEN = /^local-task-[0-9a-f-]{36}$/;
