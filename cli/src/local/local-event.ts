import type { ProgressEvent } from "@fedmkt/shared/contracts/progress.ts";

/** What a local run tells while it runs; the CLI draws it. Times are milliseconds since the epoch. */
export type LocalEvent =
  | {
      kind: "state-entered" | "state-exited";
      machine: string;
      execution: string;
      name: string;
      index?: number;
      at: number;
    }
  | {
      kind: "state-failed";
      machine: string;
      execution: string;
      name: string;
      index?: number;
      at: number;
      error: string;
      cause: string;
    }
  | { kind: "execution-started"; machine: string; execution: string; at: number }
  | { kind: "execution-ended"; machine: string; execution: string; status: ExecutionStatus; at: number }
  | { kind: "progress"; progress: ProgressEvent }
  | {
      kind: "log";
      source: string;
      line: string;
      level: LogLevel;
      /** whether a function or a worker wrote it: its log file has it too */
      logged?: boolean;
      /** of a record that tells an error of ours */
      failure?: { code: string; message: string };
    };

export type ExecutionStatus = "RUNNING" | "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "ABORTED";
export type LogLevel = "debug" | "info" | "warn" | "error";
export type OnLocalEvent = (event: LocalEvent) => void;
