import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";
import { programUrl } from "@fedmkt/shared/core/program-url.ts";
import { ACCOUNT, type LocalResource, REGION } from "./assembly.ts";
import type { EnvironmentOf } from "./local-environment.ts";
import type { OnLocalEvent } from "./local-event.ts";
import { namedError } from "./named-error.ts";
import { followOutput } from "./output-lines.ts";
import { places } from "./places.ts";
import type { TaskAttempt } from "./task-handlers.ts";

const DIE_WITH_PARENT = programUrl("die-with-parent", "./die-with-parent.ts", import.meta.url);

/** A worker that has answered may still flush; one that nobody waits for is asked to stop, and after this time made to. */
const GRACE_MS = 5_000;

export interface EcsTasks {
  /** Starts a task once there is a place for it. With a token: resolves when it runs; `.sync`: when it ended well. */
  run(attempt: TaskAttempt): Promise<unknown>;
  /** process ids of the tasks that run now */
  running(): number[];
  stop(): Promise<void>;
}

/**
 * ECS tasks as child processes: `node <workerEntry>` with the container's environment and its overrides, at most `concurrentTasks`
 * at once. A task that waits for its place has not begun, so its heartbeat and time-out do not run yet. A task that ends without an
 * answer fails its token as `States.HeartbeatTimeout`: what a lost machine comes to in the cloud, without the wait.
 */
export function ecsTasks(options: {
  resources: readonly LocalResource[];
  environmentOf: EnvironmentOf;
  workerEntry: string;
  logsFolder: string;
  concurrentTasks: number;
  onEvent: OnLocalEvent;
}): EcsTasks {
  const definitions = options.resources.filter(({ type }) => type === "AWS::ECS::TaskDefinition");
  const room = places(options.concurrentTasks);
  const running = new Map<ChildProcess, Promise<number>>();
  let stopping = false;

  /** @returns the exit code, once everything that the task wrote lies in its log */
  async function follow(child: ChildProcess, stateName: string, log: string): Promise<number> {
    const exited = new Promise<number>((resolve) => {
      child.once("error", () => resolve(-1));
      child.once("exit", (code, killedBy) => resolve(code ?? (killedBy ? -1 : 0)));
    });
    // without memory or file descriptors for a process there are no streams either
    const streams = { out: child.stdout as Readable | null, err: child.stderr as Readable | null };
    const output =
      streams.out && streams.err
        ? followOutput(stateName, log, { out: streams.out, err: streams.err }, options.onEvent)
        : null;
    const code = await exited;
    running.delete(child);
    await output?.close();
    return code;
  }

  async function run({ stateName, pattern, parameters, waiting, begin, signal }: TaskAttempt): Promise<unknown> {
    const containerEnvironment = environmentOf(definitions, parameters);
    const leave = await room.take(signal);
    if (stopping) {
      leave();
      throw namedError("States.TaskFailed", "the local run is being stopped");
    }
    let child: ChildProcess;
    let ended: Promise<number>;
    try {
      const log = logFile(options.logsFolder, stateName); // first: a full disk must not leave a process without an owner
      child = spawn(process.execPath, ["--import", DIE_WITH_PARENT.href, options.workerEntry], {
        stdio: ["ignore", "pipe", "pipe", "ipc"],
        env: options.environmentOf(containerEnvironment),
      });
      ended = follow(child, stateName, log).finally(leave);
      running.set(child, ended);
    } catch (error) {
      leave();
      throw error;
    }
    begin();
    signal.addEventListener("abort", () => endSoon(child, waiting?.answer), { once: true });
    if (signal.aborted) endSoon(child, waiting?.answer);
    ended.then((code) =>
      waiting?.fail(
        "States.HeartbeatTimeout",
        `${stateName}: the worker ended (${exitText(child, code)}) without an answer`,
      ),
    );

    if (pattern === "sync") {
      const code = await ended;
      if (code !== 0)
        throw namedError("States.TaskFailed", `${stateName}: the worker ended (${exitText(child, code)})`);
    }
    const taskArn = `arn:aws:ecs:${REGION}:${ACCOUNT}:task/local/${randomUUID()}`;
    return { Tasks: [{ TaskArn: taskArn, LastStatus: pattern === "sync" ? "STOPPED" : "RUNNING" }], Failures: [] };
  }

  return {
    run,
    running: () => [...running.keys()].map(({ pid }) => pid).filter((pid) => pid !== undefined),
    async stop() {
      stopping = true;
      for (const child of running.keys()) endNow(child);
      await Promise.all(running.values());
    },
  };
}

/** After a good answer the worker is left to end by itself for a while; otherwise it is asked to at once. */
async function endSoon(child: ChildProcess, answer: Promise<unknown> | undefined): Promise<void> {
  const good = await answer?.then(
    () => true,
    () => false,
  );
  if (good) setTimeout(() => endNow(child), GRACE_MS).unref();
  else endNow(child);
}

function endNow(child: ChildProcess): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
  child.once("exit", () => clearTimeout(timer));
}

function exitText(child: ChildProcess, code: number): string {
  return child.signalCode ? `signal ${child.signalCode}` : `exit code ${code}`;
}

interface NamedValue {
  Name: string;
  Value: unknown;
}

/** The container's variables under the ones of the call. */
function environmentOf(
  definitions: readonly LocalResource[],
  parameters: Record<string, unknown>,
): Record<string, string> {
  const asked = String(parameters.TaskDefinition);
  const family = /(?:task-definition\/)?([^/:]+)(?::\d+)?$/.exec(asked)?.[1];
  const definition = definitions.find(({ name }) => name === family);
  if (!definition) throw namedError("ECS.ClientException", `Unable to describe task definition ${asked}`);
  const containers = (definition.properties.ContainerDefinitions ?? []) as {
    Name: string;
    Environment?: NamedValue[];
  }[];
  const overrides = ((
    parameters.Overrides as { ContainerOverrides?: { Name: string; Environment?: NamedValue[] }[] } | undefined
  )?.ContainerOverrides ?? []) as { Name: string; Environment?: NamedValue[] }[];
  const override = overrides[0];
  const container = containers.find(({ Name }) => Name === override?.Name) ?? containers[0];
  if (!container) throw namedError("ECS.ClientException", `task definition ${asked} has no container`);
  const variables = [...(container.Environment ?? []), ...(override?.Environment ?? [])];
  return Object.fromEntries(variables.map(({ Name, Value }) => [Name, String(Value)]));
}

/** The first free `<state>-<n>.log`; creating it takes it. */
function logFile(folder: string, stateName: string): string {
  const base = stateName.replace(/[^A-Za-z0-9-]+/g, "-");
  for (let n = 1; ; n++) {
    const file = path.join(folder, `${base}-${n}.log`);
    try {
      closeSync(openSync(file, "wx"));
      return file;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}
