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

/** Interprets a machine's definition in this process, every Task done by `work`; retries come at once. */
export async function executeDefinition(definition: object, input: unknown, work: TaskWork): Promise<unknown> {
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
      Execution: { Id: "arn:aws:states:us-east-1:000000000000:execution:any:any" },
    } as never,
    overrides: {
      taskResourceLocalHandlers: Object.fromEntries(handlers),
      retryIntervalOverrides: Object.fromEntries(tasks.map(({ name }) => [name, 1])),
    },
  });
  // the interpreter wraps a failed execution's error
  return run.result.catch((wrapped) => Promise.reject(wrapped.cause ?? wrapped));
}
