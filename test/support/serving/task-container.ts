import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { cacheFolder } from "../../../cli/src/cache-folder.ts";
import type { DeployedResource } from "../deployed-stacks.ts";

const ROOT = resolve(import.meta.dirname, "../../..");

/** A container of a task definition, as the deployed template has it. */
export interface TaskContainer {
  Name: string;
  Image: string;
  EntryPoint?: string[];
  Command?: string[];
  Environment: { Name: string; Value: string }[];
  MountPoints: { SourceVolume: string; ContainerPath: string; ReadOnly: boolean }[];
  HealthCheck?: { Command: string[] };
  StopTimeout: number;
}

/** What a container has of the machine that its task runs on. */
export interface TaskMachine {
  /** each volume of the task is a folder in here */
  volumes: string;
  /** a task has a network of its own, this machine has one for all: by its port there, the port here */
  ports: Readonly<Record<number, number>>;
  /** credentials of the task's role and the way to AWS, as ECS and the network give them */
  environment: Readonly<Record<string, string>>;
}

export interface RunningContainer {
  /** what it has written, line by line; those that are JSON as objects */
  lines(): Record<string, unknown>[];
  output(): string;
  /** SIGTERM, as ECS stops a task. @returns its exit code; what lasts longer than the definition lets it is killed, which gives null */
  stop(): Promise<number | null>;
  ended: Promise<number | null>;
  /** @returns the exit code of its health check */
  health(): Promise<number | null>;
}

export function containersOf(deployed: readonly DeployedResource[], family: string): Record<string, TaskContainer> {
  const task = deployed.find(
    ({ type, properties }) => type === "AWS::ECS::TaskDefinition" && properties.Family === family,
  )!;
  return Object.fromEntries((task.properties.ContainerDefinitions as TaskContainer[]).map((one) => [one.Name, one]));
}

/** Values of a definition as they are meant on this machine: volumes are folders, ports others. */
export function onMachine(container: TaskContainer, machine: TaskMachine, text: string): string {
  const mount = container.MountPoints.find(
    ({ ContainerPath }) => text === ContainerPath || text.startsWith(`${ContainerPath}/`),
  );
  if (mount) return volumeOf(container, machine, mount.SourceVolume) + text.slice(mount.ContainerPath.length);
  for (const [there, here] of Object.entries(machine.ports)) {
    if (text === there) return String(here);
    if (text.endsWith(`:${there}`)) return `${text.slice(0, -there.length)}${here}`;
  }
  return text;
}

/** A volume of the task, or of this container alone: its scratch is nobody else's. */
function volumeOf({ Name }: TaskContainer, { volumes }: TaskMachine, volume: string): string {
  const folder = join(volumes, volume === "scratch" ? `${volume}-${Name}` : volume);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * Starts a container of the workers' image as a process: the image's entry point (or the definition's own), the definition's command and
 * environment, and nothing of this process's environment.
 * @param more - what this machine alone decides
 */
export function startContainer(
  container: TaskContainer,
  machine: TaskMachine,
  more: Record<string, string> = {},
): RunningContainer {
  const environment = {
    ...environmentOf(container, machine),
    ...more,
  };
  const [command, ...args] = [...(container.EntryPoint ?? imageEntryPoint()), ...(container.Command ?? [])];
  const child = run(command!, args, environment);
  let output = "";
  for (const stream of [child.stdout!, child.stderr!])
    stream.on("data", (chunk: Buffer) => {
      output += chunk;
    });
  const ended = new Promise<number | null>((done) => child.on("close", done));
  return {
    output: () => output,
    lines: () =>
      output.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as Record<string, unknown>] : [])),
    ended,
    stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), container.StopTimeout * 1000);
      return ended.finally(() => clearTimeout(timer));
    },
    health() {
      const [kind, program, ...rest] = container.HealthCheck!.Command;
      if (kind !== "CMD") throw new Error(`expected CMD, got ${kind}`);
      const asked = run(program!, rest.map(inCheckout), environment);
      return new Promise((done) => asked.on("close", done));
    },
  };
}

function environmentOf(container: TaskContainer, machine: TaskMachine): Record<string, string> {
  return {
    PATH: process.env.PATH!,
    NODE_ENV: "production",
    NODE_COMPILE_CACHE: join(cacheFolder(), "compile"), // compiling some hundred modules anew takes seconds
    TMPDIR: onMachine(container, machine, "/tmp"),
    ...Object.fromEntries(container.Environment.map(({ Name, Value }) => [Name, onMachine(container, machine, Value)])),
    ...machine.environment,
  };
}

/** Of the one image: docs/workers.md builds it of this checkout. */
function imageEntryPoint(): string[] {
  const dockerfile = readFileSync(join(ROOT, "gpu-workers/Dockerfile"), "utf8");
  return (JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(dockerfile)![1]) as string[]).map(inCheckout);
}

const inCheckout = (text: string) => text.replace(/^\/app\//, `${ROOT}/`);

function run(command: string, args: string[], env: Record<string, string>): ChildProcess {
  const program = command === "node" ? process.execPath : command;
  return spawn(program, args, { env, cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
}
