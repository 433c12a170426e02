import { randomUUID } from "node:crypto";
import { ExecutionAbortedError, ExecutionTimeoutError, StateMachine } from "aws-local-stepfunctions";
import { ACCOUNT, type LocalResource, REGION } from "./assembly.ts";
import type { Execution, HistoryEvent, RunningExecution } from "./executions.ts";
import type { OnLocalEvent } from "./local-event.ts";
import { namedError, toError } from "./named-error.ts";
import { CONTEXT_MARKS, type Definition, interpretable, tasksOf } from "./state-definition.ts";
import { type StartTask, type TaskScope, taskHandlers } from "./task-handlers.ts";
import type { TaskTokens } from "./task-tokens.ts";
import { timeoutErrorClass } from "./timeout-error.ts";

export interface StateMachines {
  /** @throws an error named `StateMachineDoesNotExist`, or `ExecutionAlreadyExists` where the name is taken with another input */
  start(stateMachineArn: string, input: unknown, name?: string): RunningExecution;
  all(): RunningExecution[];
  /** @throws an error named `ExecutionDoesNotExist` */
  find(executionArn: string): RunningExecution;
  /** Aborts what still runs and waits for its end. */
  stop(): Promise<void>;
}

/** The state machines of an assembly, interpreted by aws-local-stepfunctions; each Task is done by `startTask`. */
export async function stateMachines(options: {
  resources: readonly LocalResource[];
  tokens: TaskTokens;
  startTask: StartTask;
  /** told of every execution that has begun or ended, before anybody who waits for its end */
  onStatusChange: (execution: Execution) => void;
  onEvent: OnLocalEvent;
}): Promise<StateMachines> {
  const { tokens, startTask, onEvent, onStatusChange } = options;
  const TimeoutError = await timeoutErrorClass();
  const machines = new Map(
    options.resources
      .filter(({ type }) => type === "AWS::StepFunctions::StateMachine")
      .map((resource) => {
        const written = definitionOf(resource);
        return [resource.arn, { name: resource.name, definition: interpretable(written), tasks: tasksOf(written) }];
      }),
  );
  const executions = new Map<string, RunningExecution>();

  function start(stateMachineArn: string, input: unknown, name: string = randomUUID()): RunningExecution {
    const machine = machines.get(stateMachineArn);
    if (!machine) throw namedError("StateMachineDoesNotExist", `State Machine Does Not Exist: '${stateMachineArn}'`);
    const executionArn = `arn:aws:states:${REGION}:${ACCOUNT}:execution:${machine.name}:${name}`;
    const earlier = executions.get(executionArn);
    if (earlier) {
      if (earlier.description.input === JSON.stringify(input) && earlier.description.status === "RUNNING")
        return earlier;
      throw namedError("ExecutionAlreadyExists", `Execution Already Exists: '${executionArn}'`);
    }
    const description: Execution = {
      executionArn,
      stateMachineArn,
      name,
      status: "RUNNING",
      startDate: Date.now() / 1000,
      input: JSON.stringify(input),
    };
    const history: HistoryEvent[] = [];
    const scope: TaskScope = { executionArn, ended: false, open: new Set(), cancelled: new Set() };
    const run = new StateMachine(machine.definition as never, {
      validationOptions: { noValidate: true },
    }).run(input as never, {
      context: {
        ...CONTEXT_MARKS,
        Execution: { Id: executionArn, Name: name, Input: input, StartTime: new Date().toISOString() },
        StateMachine: { Id: stateMachineArn, Name: machine.name },
      } as never,
      overrides: {
        taskResourceLocalHandlers: taskHandlers(machine.tasks, scope, tokens, startTask, TimeoutError) as never,
      },
    });
    let stopped: { error?: string; cause?: string } | undefined;
    const ended = run.result
      .then(
        (output) => Object.assign(description, { status: "SUCCEEDED", output: JSON.stringify(output) }),
        (thrown: unknown) => Object.assign(description, failureOf(thrown, stopped)),
      )
      .then(() => {
        description.stopDate = Date.now() / 1000;
        endTasks(scope);
        onEvent({
          kind: "execution-ended",
          machine: machine.name,
          execution: name,
          status: description.status,
          at: Date.now(),
        });
        onStatusChange(description);
        return description;
      });
    const running: RunningExecution = {
      description,
      history,
      ended,
      stop(error, cause) {
        stopped = { error, cause };
        endTasks(scope);
        run.abort();
      },
    };
    executions.set(executionArn, running);
    onEvent({ kind: "execution-started", machine: machine.name, execution: name, at: Date.now() });
    onStatusChange(description);
    follow(run.eventLogs as AsyncIterable<LoggedEvent>, machine.name, name, history, scope, onEvent).catch(() => {});
    return running;
  }

  return {
    start,
    all: () => [...executions.values()],
    find: (executionArn) => {
      const found = executions.get(executionArn);
      if (!found) throw namedError("ExecutionDoesNotExist", `Execution Does Not Exist: '${executionArn}'`);
      return found;
    },
    async stop() {
      const running = [...executions.values()].filter(({ description }) => description.status === "RUNNING");
      for (const execution of running) execution.stop();
      await Promise.all(running.map(({ ended }) => ended));
    },
  };
}

function definitionOf(resource: LocalResource): Definition {
  const text = resource.properties.DefinitionString;
  return (typeof text === "string" ? JSON.parse(text) : resource.properties.Definition) as Definition;
}

function endTasks(scope: TaskScope): void {
  scope.ended = true;
  for (const task of scope.open) task.fail("States.TaskFailed", "the execution has ended");
}

/** The error's own name and message stand in the interpreter's wrapper as its cause. */
function failureOf(thrown: unknown, stopped?: { error?: string; cause?: string }): Partial<Execution> {
  if (thrown instanceof ExecutionAbortedError) return { status: "ABORTED", ...stopped };
  if (thrown instanceof ExecutionTimeoutError) return { status: "TIMED_OUT", error: "States.Timeout" };
  const wrapped = toError(thrown);
  const inner = wrapped.cause instanceof Error ? wrapped.cause : wrapped;
  return { status: "FAILED", error: inner.name, cause: inner.message };
}

interface LoggedEvent {
  type: string;
  timestamp: number;
  state?: { name: string; type: string };
  parentState?: { name: string; type: string };
  index?: number;
  Error?: unknown;
  Cause?: unknown;
}

const KINDS = { StateEntered: "state-entered", StateExited: "state-exited", StateFailed: "state-failed" } as const;

/** Keeps the history and passes states on; when a Map or Parallel fails, the tasks it leaves behind are given up, as AWS does. */
async function follow(
  events: AsyncIterable<LoggedEvent>,
  machine: string,
  execution: string,
  history: HistoryEvent[],
  scope: TaskScope,
  onEvent: OnLocalEvent,
): Promise<void> {
  for await (const { type, timestamp, state, parentState, index, Error: error, Cause: cause } of events) {
    const failure = error === undefined ? {} : { error: String(error), cause: String(cause ?? "") };
    history.push({ type, timestamp, ...(state && { name: state.name }), ...failure });
    if (!state) continue;
    const isOutermost = parentState === undefined && index === undefined;
    if (isOutermost && (state.type === "Map" || state.type === "Parallel")) {
      if (type === "StateFailed") {
        scope.cancelled.add(state.name);
        for (const task of scope.open)
          if (task.within === state.name) task.fail("States.TaskFailed", `${state.name} has failed`);
      } else if (type === "StateEntered" || type === "StateRetried") scope.cancelled.delete(state.name);
    }
    const kind = KINDS[type as keyof typeof KINDS];
    if (!kind) continue;
    const common = { machine, execution, name: state.name, ...(index !== undefined && { index }), at: timestamp };
    if (kind === "state-failed") onEvent({ kind, ...common, error: failure.error ?? "", cause: failure.cause ?? "" });
    else onEvent({ kind, ...common });
  }
}
