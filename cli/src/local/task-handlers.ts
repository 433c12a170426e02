import { setImmediate } from "node:timers/promises";
import { namedError, toError } from "./named-error.ts";
import { putToken, type State, type TaskState } from "./state-definition.ts";
import { MAX_TIMER_MS, type TaskTokens, type WaitingTask } from "./task-tokens.ts";

/** What is open in one execution. */
export interface TaskScope {
  executionArn: string;
  ended: boolean;
  open: Set<{ within: string | null; fail(name: string, cause: string): void }>;
  /** Map and Parallel states that have failed: no further task starts inside them */
  cancelled: Set<string>;
}

/** One attempt of a Task state, ready to be started. */
export interface TaskAttempt {
  stateName: string;
  executionArn: string;
  /** `lambda:invoke`, `sqs:sendMessage`, `ecs:runTask`, `states:startExecution`, or a function's ARN */
  service: string;
  pattern: "request-response" | "sync" | "wait-for-task-token";
  parameters: Record<string, unknown>;
  /** settles the wait for a token from this side; null where nobody waits for one */
  waiting: WaitingTask | null;
  /**
   * Starts the state's clocks: to be called once the task has its place, process or thread. Until then it has not begun: in a cloud it
   * would have a machine of its own. Calls after the first do nothing.
   */
  begin(): void;
  /** aborted when the state no longer waits for the attempt: answered, timed out, or its execution ended */
  signal: AbortSignal;
  executionHasEnded(): boolean;
}

/** Starts a task. With a token the promise tells that the service took the task, else it is the task's result. */
export type StartTask = (attempt: TaskAttempt) => Promise<unknown>;

/** The interpreter's task handlers, by state name. */
export function taskHandlers(
  tasks: readonly TaskState[],
  scope: TaskScope,
  tokens: TaskTokens,
  startTask: StartTask,
  TimeoutError: new () => Error,
): Record<string, (raw: unknown) => Promise<unknown>> {
  return Object.fromEntries(
    tasks.map(({ name, state, within }) => [
      name,
      async (raw: unknown) => {
        await setImmediate(); // until the log of states, from which `cancelled` is kept, has caught up
        if (scope.ended || (within !== null && scope.cancelled.has(within))) {
          throw namedError("States.TaskFailed", "the execution has ended");
        }
        try {
          return await attempt(name, state, within, raw);
        } catch (error) {
          throw toError(error).name === "States.Timeout"
            ? Object.assign(new TimeoutError(), { message: toError(error).message })
            : error;
        }
      },
    ]),
  );

  async function attempt(name: string, state: State, within: string | null, raw: unknown): Promise<unknown> {
    const { service, pattern } = serviceOf(state.Resource ?? "");
    const limits = { heartbeatSeconds: state.HeartbeatSeconds, timeoutSeconds: state.TimeoutSeconds };
    const waitsForToken = pattern === "wait-for-task-token";
    const waiting = waitsForToken ? tokens.issue(limits) : null;
    const over = new AbortController();
    const given = Promise.withResolvers<never>();
    given.promise.catch(() => {});
    const fail = waiting?.fail ?? ((error: string, cause: string) => given.reject(namedError(error, cause)));
    const entry = { within, fail };
    scope.open.add(entry);
    let timer: NodeJS.Timeout | undefined;
    const begin = () => {
      waiting?.start();
      if (waiting || timer || over.signal.aborted || state.TimeoutSeconds === undefined) return;
      const late = () => fail("States.Timeout", `no result within ${state.TimeoutSeconds} s`);
      timer = setTimeout(late, Math.min(state.TimeoutSeconds * 1000, MAX_TIMER_MS));
    };
    const parameters = putToken(raw, waiting?.token ?? "") as Record<string, unknown>;
    try {
      const started = startTask({
        stateName: name,
        executionArn: scope.executionArn,
        service,
        pattern,
        parameters,
        waiting,
        begin,
        signal: over.signal,
        executionHasEnded: () => scope.ended,
      });
      started.catch(() => {}); // it may fail when nobody waits any more
      if (!waiting) return await Promise.race([started, given.promise]);
      started.catch((error) => waiting.fail(toError(error).name, toError(error).message));
      return await waiting.answer;
    } finally {
      clearTimeout(timer);
      scope.open.delete(entry);
      over.abort();
    }
  }
}

function serviceOf(resource: string): Pick<TaskAttempt, "service" | "pattern"> {
  const integration = /^arn:aws[^:]*:states:::(.*)$/.exec(resource)?.[1];
  if (integration === undefined) return { service: resource, pattern: "request-response" };
  if (integration.endsWith(".waitForTaskToken")) {
    return { service: integration.slice(0, -".waitForTaskToken".length), pattern: "wait-for-task-token" };
  }
  const sync = /^(.*)\.sync(:2)?$/.exec(integration);
  return sync ? { service: sync[1]!, pattern: "sync" } : { service: integration, pattern: "request-response" };
}
