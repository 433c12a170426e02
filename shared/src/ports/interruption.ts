/** How a job learns that it is to end before it is done: the machine is taken away, or nobody waits any more. */
export interface Interruption {
  /** aborted when the job is to be put down; its reason is what the job then fails with */
  readonly signal: AbortSignal;
  /** Asks for time to put something in order before the job is given up. @returns what gives the time back */
  hold(): () => void;
}
