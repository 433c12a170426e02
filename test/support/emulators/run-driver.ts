import { DescribeExecutionCommand, type DescribeExecutionOutput, paginateListExecutions } from "@aws-sdk/client-sfn";
import { controlKeys } from "../../../shared/src/contracts/keys.ts";
import type { AwsClients } from "./aws-clients.ts";
import { putObject } from "./bucket-contents.ts";

const INTERVAL_MS = 500;

/** Starts runs by upload and watches their executions, as an operator would by hand. */
export interface RunDriver {
  /** @returns once the object is stored; the execution begins a moment later */
  upload(run: string, specYaml: Uint8Array): Promise<void>;
  /** every execution that an upload of this run has started, oldest first */
  executions(run: string): Promise<DescribeExecutionOutput[]>;
  /** waits until so many executions of this run have ended */
  ended(run: string, count: number): Promise<DescribeExecutionOutput[]>;
  /** the last lines of everything, for a test that fails */
  told(): string;
  /** waits until something holds */
  until(what: string, holds: () => Promise<boolean>): Promise<void>;
}

/** @param options.told - what to tell of a wait that took too long */
export function runDriver(
  aws: AwsClients,
  options: { machineArn: string; control: string; timeoutMs: number; told: () => string },
): RunDriver {
  const { machineArn, control } = options;

  async function executions(run: string): Promise<DescribeExecutionOutput[]> {
    const found: DescribeExecutionOutput[] = [];
    const pages = paginateListExecutions({ client: aws.stepFunctions }, { stateMachineArn: machineArn });
    for await (const { executions: listed } of pages)
      for (const { executionArn } of listed ?? [])
        found.push(await aws.stepFunctions.send(new DescribeExecutionCommand({ executionArn })));
    return found
      .filter(({ input }) => JSON.parse(input ?? "{}")?.detail?.object?.key === controlKeys.spec(run))
      .sort((one, other) => one.startDate!.getTime() - other.startDate!.getTime());
  }

  async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + options.timeoutMs;
    while (!(await holds())) {
      if (Date.now() > end) throw new Error(`waited in vain until ${what}\n${options.told()}`);
      await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
    }
  }

  return {
    executions,
    until,
    told: options.told,
    upload: (run, specYaml) => putObject(aws.s3, control, controlKeys.spec(run), specYaml),
    async ended(run, count) {
      let found: DescribeExecutionOutput[] = [];
      await until(`${count} executions of ${run} have ended`, async () => {
        found = (await executions(run)).filter(({ status }) => status !== "RUNNING");
        return found.length >= count;
      });
      return found;
    },
  };
}
