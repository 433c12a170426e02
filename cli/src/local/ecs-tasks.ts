import { randomUUID } from "node:crypto";
import { ACCOUNT, type LocalResource, REGION } from "./assembly.ts";
import { containerEnvironment } from "./container-environment.ts";
import type { EnvironmentOf } from "./local-environment.ts";
import type { OnLocalEvent } from "./local-event.ts";
import { namedError } from "./named-error.ts";
import type { Places } from "./places.ts";
import type { TaskAttempt } from "./task-handlers.ts";
import { GRACE_MS, startWorkerProcess, type WorkerProcess } from "./worker-process.ts";

/** A task that runs, as ECS tells of it. */
export interface RunningTask {
  arn: string;
  /** name of the cluster that RunTask named */
  cluster: string;
  startedBy?: string;
  process: WorkerProcess;
}

export interface EcsTasks {
  /** Starts a task once there is a place for it. With a token: resolves when it runs; `.sync`: when it ended well. */
  run(attempt: TaskAttempt): Promise<unknown>;
  running(): RunningTask[];
  stop(): Promise<void>;
}

/**
 * ECS tasks as child processes: `node <workerEntry>` with the container's environment and its overrides, as many at once as there are
 * places. A task that waits for its place has not begun, so its heartbeat and time-out do not run yet. A task that ends without an
 * answer fails its token as `States.HeartbeatTimeout`: what a lost machine comes to in the cloud, without the wait.
 *
 * A task that is given up while its execution goes on is ended: the next try needs its place. One whose execution has ended goes on
 * as on AWS, until somebody stops it or it learns that nobody waits. Capacity providers are ignored: this machine is the one there is.
 */
export function ecsTasks(options: {
  resources: readonly LocalResource[];
  environmentOf: EnvironmentOf;
  workerEntry: string;
  logsFolder: string;
  room: Places;
  onEvent: OnLocalEvent;
}): EcsTasks {
  const running = new Set<RunningTask>();
  let stopping = false;

  async function run(attempt: TaskAttempt): Promise<unknown> {
    const { stateName, pattern, parameters, waiting, signal } = attempt;
    const environment = containerEnvironment(options.resources, parameters);
    const leave = await options.room.take(signal);
    let worker: WorkerProcess;
    try {
      if (stopping) throw namedError("States.TaskFailed", "the local run is being stopped");
      worker = startWorkerProcess({
        program: options.workerEntry,
        environment: options.environmentOf(environment),
        source: stateName,
        logsFolder: options.logsFolder,
        onEvent: options.onEvent,
      });
    } catch (error) {
      leave();
      throw error;
    }
    const task: RunningTask = {
      arn: `arn:aws:ecs:${REGION}:${ACCOUNT}:task/local/${randomUUID()}`,
      cluster: clusterName(parameters.Cluster),
      ...(parameters.StartedBy !== undefined && { startedBy: String(parameters.StartedBy) }),
      process: worker,
    };
    running.add(task);
    const ended = worker.ended.finally(() => {
      running.delete(task);
      leave();
    });
    attempt.begin();
    if (pattern !== "request-response") {
      const given = () => endUnwanted(worker, attempt);
      signal.addEventListener("abort", given, { once: true });
      if (signal.aborted) given();
    }
    ended.then(({ text }) =>
      waiting?.fail("States.HeartbeatTimeout", `${stateName}: the worker ended (${text}) without an answer`),
    );

    if (pattern === "sync") {
      const { code, text } = await ended;
      if (code !== 0) throw namedError("States.TaskFailed", `${stateName}: the worker ended (${text})`);
    }
    return { Tasks: [{ TaskArn: task.arn, LastStatus: pattern === "sync" ? "STOPPED" : "RUNNING" }], Failures: [] };
  }

  return {
    run,
    running: () => [...running],
    async stop() {
      stopping = true;
      for (const { process } of running) process.end();
      await Promise.all([...running].map(({ process }) => process.ended));
    },
  };
}

/** A cluster is named or given as an ARN; a call that says nothing means the account's default one. */
export function clusterName(given: unknown): string {
  return given === undefined ? "default" : String(given).split("/").at(-1)!;
}

/** After a good answer the worker is left to end by itself for a while. */
async function endUnwanted(worker: WorkerProcess, { pattern, waiting, executionHasEnded }: TaskAttempt): Promise<void> {
  const good = await waiting?.answer.then(
    () => true,
    () => false,
  );
  if (good) setTimeout(() => worker.end(), GRACE_MS).unref();
  else if (pattern === "sync" || !executionHasEnded()) worker.end();
}
