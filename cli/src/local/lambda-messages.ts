/** What a function's thread is started with. */
export interface ThreadStart {
  folder: string;
  /** `file.export`, as in the template */
  handler: string;
  functionName: string;
  arn: string;
  memoryMb: number;
}

export interface ToThread {
  id: string;
  payload: string;
  /** milliseconds since the epoch at which the time-out strikes */
  deadline: number;
}

export type FromThread =
  | { id: string; ok: true; payload: string }
  | { id: string; ok: false; error: { errorType: string; errorMessage: string; trace: string[] } };
