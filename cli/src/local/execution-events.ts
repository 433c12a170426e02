import { randomUUID } from "node:crypto";
import { ACCOUNT, REGION } from "./assembly.ts";
import type { BusEvent } from "./event-bus.ts";
import type { Execution } from "./executions.ts";

/** What Step Functions tells EventBridge of an execution that has begun or ended. */
export function executionStatusChange(execution: Execution): BusEvent {
  const { executionArn, stateMachineArn, name, status, startDate, stopDate, input, output, error, cause } = execution;
  return {
    version: "0",
    id: randomUUID(),
    "detail-type": "Step Functions Execution Status Change",
    source: "aws.states",
    account: ACCOUNT,
    time: new Date((stopDate ?? startDate) * 1000).toISOString().replace(/\.\d+Z$/, "Z"),
    region: REGION,
    resources: [executionArn],
    detail: {
      executionArn,
      stateMachineArn,
      name,
      status,
      startDate: Math.round(startDate * 1000),
      stopDate: stopDate === undefined ? null : Math.round(stopDate * 1000),
      input,
      output: output ?? null,
      inputDetails: { included: true },
      outputDetails: output === undefined ? null : { included: true },
      error: error ?? null,
      cause: cause ?? null,
    },
  };
}
