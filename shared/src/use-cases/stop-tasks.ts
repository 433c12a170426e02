import type { WorkerTasks } from "../ports/worker-tasks.ts";

/** A run's execution that has ended. */
export interface EndedExecution {
  /** the execution's name, under which its states start tasks */
  name: string;
  status: string;
}

/**
 * Stops the tasks that a run's execution left behind: nobody waits for their answers any more, and they cost. A task that was only
 * just being started is not listed yet; it finds its token gone at its first heartbeat and leaves by itself.
 */
export function stopTasks({ tasks }: { tasks: WorkerTasks }) {
  return async ({ name, status }: EndedExecution): Promise<{ stopped: string[] }> => ({
    stopped: await tasks.stopAll(name, `the run's execution has ended: ${status}`),
  });
}
