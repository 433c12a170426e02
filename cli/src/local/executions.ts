import type { ExecutionStatus } from "./local-event.ts";

/** One execution of a state machine, as DescribeExecution tells it. Dates are seconds since the epoch, as in the API. */
export interface Execution {
  executionArn: string;
  stateMachineArn: string;
  name: string;
  status: ExecutionStatus;
  startDate: number;
  stopDate?: number;
  input: string;
  output?: string;
  error?: string;
  cause?: string;
}

export interface HistoryEvent {
  type: string;
  timestamp: number;
  name?: string;
  error?: string;
  cause?: string;
}

export interface RunningExecution {
  readonly description: Execution;
  readonly history: HistoryEvent[];
  /** settles when the execution ended, whichever way; never rejects */
  readonly ended: Promise<Execution>;
  stop(error?: string, cause?: string): void;
}
