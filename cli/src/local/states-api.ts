import type { Execution } from "./executions.ts";
import type { JsonApi } from "./json-services.ts";
import { namedError } from "./named-error.ts";
import type { StateMachines } from "./state-machines.ts";
import type { TaskTokens } from "./task-tokens.ts";

/** The Step Functions operations that workers, the CLI and tests use, on the embedded machines. */
export function statesApi(tokens: TaskTokens, machines: () => StateMachines): JsonApi {
  const operations: Record<string, (input: Record<string, unknown>) => unknown> = {
    SendTaskSuccess: ({ taskToken, output }) => {
      tokens.succeed(String(taskToken), parseJson(output, "InvalidOutput"));
      return {};
    },
    SendTaskFailure: ({ taskToken, error, cause }) => {
      tokens.fail(String(taskToken), String(error ?? "States.TaskFailed"), String(cause ?? ""));
      return {};
    },
    SendTaskHeartbeat: ({ taskToken }) => {
      tokens.heartbeat(String(taskToken));
      return {};
    },
    StartExecution: ({ stateMachineArn, input, name }) => {
      const parsed = parseJson(input ?? "{}", "InvalidExecutionInput");
      const { description } = machines().start(
        String(stateMachineArn),
        parsed,
        name === undefined ? undefined : String(name),
      );
      return { executionArn: description.executionArn, startDate: description.startDate };
    },
    DescribeExecution: ({ executionArn }) => machines().find(String(executionArn)).description,
    ListExecutions: ({ stateMachineArn, statusFilter }) => ({
      executions: machines()
        .all()
        .map(({ description }) => description)
        .filter((each) => stateMachineArn === undefined || each.stateMachineArn === stateMachineArn)
        .filter((each) => statusFilter === undefined || each.status === statusFilter)
        .map(listed)
        .reverse(),
    }),
    GetExecutionHistory: ({ executionArn }) => ({
      events: machines()
        .find(String(executionArn))
        .history.map(({ type, timestamp, name }, index) => ({
          id: index + 1,
          previousEventId: index,
          type,
          timestamp: timestamp / 1000,
          ...(name && type === "StateEntered" && { stateEnteredEventDetails: { name } }),
          ...(name && type === "StateExited" && { stateExitedEventDetails: { name } }),
        })),
    }),
    StopExecution: async ({ executionArn, error, cause }) => {
      const execution = machines().find(String(executionArn));
      execution.stop(error as string | undefined, cause as string | undefined);
      return { stopDate: (await execution.ended).stopDate };
    },
  };
  return (operation, input) => {
    const answer = operations[operation];
    if (!answer) throw namedError("UnknownOperationException", `${operation} is not served locally`);
    return answer(input);
  };
}

function listed({ input: _, output: __, error: ___, cause: ____, ...rest }: Execution) {
  return rest;
}

function parseJson(text: unknown, errorName: string): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    throw namedError(errorName, "expected JSON");
  }
}
