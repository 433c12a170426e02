import {
  DescribeExecutionCommand,
  paginateListExecutions,
  type SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from "@aws-sdk/client-sfn";
import type { CloudExecution, CloudMachines, ExecutionEnd } from "./cloud.ts";
import { attempt } from "./cloud-failure.ts";

/** State machines by name, in one account and region. */
export class AwsMachines implements CloudMachines {
  readonly #client: SFNClient;
  readonly #arn: (machine: string) => string;

  /** @param arn - of a machine, by its name */
  constructor(client: SFNClient, arn: (machine: string) => string) {
    this.#client = client;
    this.#arn = arn;
  }

  async start(machine: string, name: string, input: unknown): Promise<string> {
    const { executionArn } = await attempt("states:StartExecution", machine, () =>
      this.#client.send(
        new StartExecutionCommand({ stateMachineArn: this.#arn(machine), name, input: JSON.stringify(input) }),
      ),
    );
    return executionArn!;
  }

  async describe(execution: string): Promise<CloudExecution | null> {
    const found = await attempt("states:DescribeExecution", execution, async () => {
      try {
        return await this.#client.send(new DescribeExecutionCommand({ executionArn: execution }));
      } catch (error) {
        if ((error as Error).name === "ExecutionDoesNotExist") return null;
        throw error;
      }
    });
    if (found === null) return null;
    const { status, startDate, stopDate, input, error, cause } = found;
    return {
      id: execution,
      // an execution that waits to be redriven has ended as far as anybody here is concerned
      status: status === "PENDING_REDRIVE" ? "FAILED" : (status as "RUNNING" | ExecutionEnd),
      startedMs: startDate!.getTime(),
      stoppedMs: stopDate?.getTime() ?? null,
      input: input ?? "",
      ...(error === undefined ? {} : { error }),
      ...(cause === undefined ? {} : { cause }),
    };
  }

  async running(machine: string): Promise<string[]> {
    return attempt("states:ListExecutions", machine, async () => {
      const found: string[] = [];
      const pages = paginateListExecutions(
        { client: this.#client },
        { stateMachineArn: this.#arn(machine), statusFilter: "RUNNING" },
      );
      try {
        for await (const { executions = [] } of pages)
          found.push(...executions.map(({ executionArn }) => executionArn!));
      } catch (error) {
        // of a deployment that was taken away in part
        if ((error as Error).name !== "StateMachineDoesNotExist") throw error;
      }
      return found;
    });
  }

  async stop(execution: string, error: string, cause: string): Promise<void> {
    const { status } = (await this.describe(execution)) ?? {};
    if (status !== "RUNNING") return;
    await attempt("states:StopExecution", execution, () =>
      this.#client.send(new StopExecutionCommand({ executionArn: execution, error, cause })),
    );
  }
}
