/** The container tasks that an execution's states started. */
export interface WorkerTasks {
  /** Stops every task that still runs and bears the execution's name as its starter. @returns the tasks' ARNs */
  stopAll(executionName: string, reason: string): Promise<string[]>;
}
