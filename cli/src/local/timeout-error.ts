import { StateMachine } from "aws-local-stepfunctions";

type ErrorClass = new () => Error;
let found: Promise<ErrorClass> | undefined;

/**
 * The interpreter's own class for `States.Timeout`. It is not exported, yet by it (not by name) the interpreter knows that
 * `States.TaskFailed` must not match; so one task is let time out, once a process, to get hold of it.
 */
export function timeoutErrorClass(): Promise<ErrorClass> {
  found ??= (async () => {
    const definition = {
      StartAt: "Late",
      States: { Late: { Type: "Task", Resource: "late", TimeoutSeconds: 0.001, End: true } },
    };
    const machine = new StateMachine(definition as never, { validationOptions: { noValidate: true } });
    const handlers = { Late: () => new Promise<never>(() => {}) };
    const thrown = await machine
      .run({}, { overrides: { taskResourceLocalHandlers: handlers } })
      .result.catch((error: Error) => error);
    return ((thrown as Error).cause as Error).constructor as ErrorClass;
  })();
  return found;
}
