import { StateMachine } from "aws-local-stepfunctions";
import {
  CONTEXT_MARKS,
  type Definition,
  interpretable,
  putToken,
  tasksOf,
} from "../../cli/src/local/state-definition.ts";

/** What a Task state is given after its parameters were put together. */
export type TaskWork = (state: string, parameters: Record<string, unknown>) => Promise<unknown>;

/** What the interpreter tells of each step: the state with its input and, once it is left, its output. */
export interface Step {
  type: string;
  state?: { name: string; type: string; input: unknown; output?: unknown };
}

/**
 * Interprets a machine's definition in this process, every Task done by `work`; retries come at once.
 * @param record - told of every step, in order
 */
export async function executeDefinition(
  definition: object,
  input: unknown,
  work: TaskWork,
  record?: (step: Step) => void,
): Promise<unknown> {
  const tasks = tasksOf(definition as Definition);
  const handlers = tasks.map(({ name }) => [
    name,
    (raw: unknown) => work(name, putToken(raw, "AQCE-token") as Record<string, unknown>),
  ]);
  const machine = new StateMachine(interpretable(definition as Definition) as never, {
    validationOptions: { noValidate: true },
  });
  const run = machine.run(input as never, {
    context: {
      ...CONTEXT_MARKS,
      Execution: { Id: "arn:aws:states:us-east-1:000000000000:execution:any:any", Name: "any" },
    } as never,
    overrides: {
      taskResourceLocalHandlers: Object.fromEntries(handlers),
      retryIntervalOverrides: Object.fromEntries(tasks.map(({ name }) => [name, 1])),
    },
  });
  const recorded = record && recordSteps(run.eventLogs as AsyncIterable<Step>, record);
  // the interpreter wraps a failed execution's error
  const result = await run.result.catch((wrapped) => Promise.reject(wrapped.cause ?? wrapped));
  await recorded;
  return result;
}

async function recordSteps(steps: AsyncIterable<Step>, record: (step: Step) => void): Promise<void> {
  for await (const step of steps) record(step);
}
