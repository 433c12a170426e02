/** The state machine's side of a task token: what a worker may say to the state that waits for it. */
export interface TaskCallback {
  succeed(token: string, output: unknown): Promise<void>;
  fail(token: string, error: { name: string; cause: string }): Promise<void>;
  /** `gone` once the state no longer waits (timed out, stopped): the worker then gives up. */
  heartbeat(token: string): Promise<"waiting" | "gone">;
}
