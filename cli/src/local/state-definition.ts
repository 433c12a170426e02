import { MAX_TIMER_MS } from "./task-tokens.ts";

export interface State {
  Type: string;
  Resource?: string;
  TimeoutSeconds?: number;
  HeartbeatSeconds?: number;
  Iterator?: Definition;
  ItemProcessor?: Definition;
  Branches?: Definition[];
}
export interface Definition {
  StartAt: string;
  States: Record<string, State>;
  TimeoutSeconds?: number;
}

export interface TaskState {
  name: string;
  state: State;
  /** the outermost Map or Parallel around it, if any */
  within: string | null;
}

/** Every Task state of a machine, those inside Map and Parallel too. */
export function tasksOf(definition: Definition, within: string | null = null): TaskState[] {
  return Object.entries(definition.States).flatMap(([name, state]) => [
    ...(state.Type === "Task" ? [{ name, state, within }] : []),
    ...[state.Iterator, state.ItemProcessor, ...(state.Branches ?? [])]
      .filter((inner): inner is Definition => inner !== undefined)
      .flatMap((inner) => tasksOf(inner, within ?? name)),
  ]);
}

/** AWS waits 99,999,999 s where a Task names no time-out; the interpreter would wait 60 s. Time-outs are ours (task-tokens). */
const NO_TIMEOUT_SECONDS = Math.floor(MAX_TIMER_MS / 1000);

/**
 * A definition as aws-local-stepfunctions reads it rightly: `ResultPath: "$"` is dropped (it means the default, and is misread),
 * tasks keep no time-out of their own, and the execution's time-out stays below the limit of Node's timers.
 */
export function interpretable(definition: Definition): Definition {
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value).filter(([key, item]) => !(key === "ResultPath" && item === "$"));
    const walked = Object.fromEntries(entries.map(([key, item]) => [key, walk(item)]));
    if (walked.Type === "Task" && typeof walked.Resource === "string") {
      const { TimeoutSecondsPath: _, ...task } = walked;
      return { ...task, TimeoutSeconds: NO_TIMEOUT_SECONDS };
    }
    return walked;
  };
  const walked = walk(definition) as Definition;
  if (walked.TimeoutSeconds !== undefined) walked.TimeoutSeconds = Math.min(walked.TimeoutSeconds, NO_TIMEOUT_SECONDS);
  return walked;
}

const TOKEN = "@@task-token@@";

/** What the interpreter's context object lacks, as a mark that {@link putToken} replaces once the task is about to start. */
export const CONTEXT_MARKS = { Task: { Token: TOKEN } };

/** Puts the token in the mark's place in a task's parameters, also inside texts that intrinsic functions built. */
export function putToken(parameters: unknown, token: string): unknown {
  if (typeof parameters === "string") return parameters.replaceAll(TOKEN, token);
  if (Array.isArray(parameters)) return parameters.map((item) => putToken(item, token));
  if (typeof parameters !== "object" || parameters === null) return parameters;
  return Object.fromEntries(Object.entries(parameters).map(([key, item]) => [key, putToken(item, token)]));
}
