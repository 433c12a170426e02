import { DescribeExecutionCommand, type SFNClient } from "@aws-sdk/client-sfn";
import type { Executions } from "../../ports/executions.ts";
import { awsFailure } from "./aws-failure.ts";

/**
 * DescribeExecution is eventually consistent: an execution that it does not know may be one that has just begun. Only one that stays
 * unknown counts as one that Step Functions has forgotten (90 days after its end).
 */
const UNKNOWN_TRIES = 3;
const UNKNOWN_WAIT_MS = 250;

/** What is in none of these may still do something, such as an execution that is to be redriven. */
const ENDED = new Set<string>(["FAILED", "TIMED_OUT", "ABORTED"]);

/** Executions of Step Functions. */
export class StepFunctionsExecutions implements Executions {
  readonly #client: SFNClient;
  readonly #wait: (ms: number) => Promise<void>;

  constructor(
    client: SFNClient,
    wait: (ms: number) => Promise<void> = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  ) {
    this.#client = client;
    this.#wait = wait;
  }

  async standing(executionArn: string): Promise<"running" | "succeeded" | "ended"> {
    for (let tries = 1; ; tries++) {
      try {
        const { status } = await this.#client.send(new DescribeExecutionCommand({ executionArn }));
        if (status === "SUCCEEDED") return "succeeded";
        return ENDED.has(status!) ? "ended" : "running";
      } catch (cause) {
        if ((cause as Error).name !== "ExecutionDoesNotExist") throw awsFailure(executionArn, cause);
        if (tries === UNKNOWN_TRIES) return "ended";
        await this.#wait(UNKNOWN_WAIT_MS);
      }
    }
  }
}
