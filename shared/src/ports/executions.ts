/** The executions of the run machine. */
export interface Executions {
  /** `ended`: failed, timed out, aborted, or so old that nobody knows it any more. */
  standing(executionArn: string): Promise<"running" | "succeeded" | "ended">;
}
