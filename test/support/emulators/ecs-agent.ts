import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  ListTasksCommand,
  StopTaskCommand,
  type Task,
} from "@aws-sdk/client-ecs";
import { assumeRole } from "./assume-role.ts";
import type { AwsClients } from "./aws-clients.ts";
import { type Emulator, environmentOf } from "./emulator.ts";
import { type GuardedProcess, startGuarded } from "./guarded-process.ts";

const INTERVAL_MS = 200;

export interface EcsAgent {
  /** every task that was started so far, in order, by the family of its definition */
  started(): readonly StartedTask[];
  /** ends the tasks that run and takes no more */
  stop(): Promise<void>;
}

export interface StartedTask {
  arn: string;
  family: string;
  /** the name of the execution that asked for it */
  startedBy: string;
  /** what the container's environment said */
  environment: Record<string, string>;
  process: GuardedProcess;
}

/**
 * What ECS's own agent does on a container instance, with processes in the place of containers: whatever task the cluster's API shows
 * as running is started as `program`, with the environment of its definition and overrides and the credentials of the definition's task
 * role; a task that is stopped gets SIGTERM; a process that ends ends its task.
 *
 * @param concurrentTasks - processes at once; further tasks wait, as they do where a cluster has no more room
 */
export function startEcsAgent(options: {
  emulator: Emulator;
  aws: AwsClients;
  cluster: string;
  program: readonly string[];
  /** wins over the definition's: what another machine than the cloud's needs */
  environment: Record<string, string>;
  folder: string;
  concurrentTasks: number;
}): EcsAgent {
  const { emulator, aws, cluster, folder } = options;
  mkdirSync(folder, { recursive: true });
  const started: StartedTask[] = [];
  const running = new Map<string, StartedTask>();
  const known = new Set<string>();
  let stopping = false;

  async function look(): Promise<void> {
    const { taskArns = [] } = await aws.ecs.send(new ListTasksCommand({ cluster, desiredStatus: "RUNNING" }));
    for (const [arn, task] of running) if (!taskArns.includes(arn)) void task.process.stop();
    const room = options.concurrentTasks - running.size;
    const fresh = taskArns.filter((arn) => !known.has(arn)).slice(0, Math.max(room, 0));
    if (fresh.length === 0) return;
    const { tasks = [] } = await aws.ecs.send(new DescribeTasksCommand({ cluster, tasks: fresh }));
    for (const task of tasks) {
      known.add(task.taskArn!);
      await start(task);
    }
  }

  async function start(task: Task): Promise<void> {
    const arn = task.taskArn!;
    const { taskDefinition } = await aws.ecs.send(
      new DescribeTaskDefinitionCommand({ taskDefinition: task.taskDefinitionArn! }),
    );
    const container = taskDefinition!.containerDefinitions![0];
    const override = task.overrides?.containerOverrides?.find(({ name }) => name === container.name);
    const environment = Object.fromEntries(
      [...(container.environment ?? []), ...(override?.environment ?? [])].map(({ name, value }) => [name!, value!]),
    );
    const credentials = emulator.enforcesPolicies
      ? await assumeRole(aws, taskDefinition!.taskRoleArn!)
      : emulator.owner;
    const id = arn.slice(arn.lastIndexOf("/") + 1);
    const home = join(folder, id);
    mkdirSync(home);
    const [program, ...programArguments] = options.program;
    const process = startGuarded(program, programArguments, {
      environment: { ...environmentOf(emulator, credentials, home), ...environment, ...options.environment },
      log: join(folder, `${taskDefinition!.family}-${id}.log`),
      folder: home,
    });
    const startedTask: StartedTask = {
      arn,
      family: taskDefinition!.family!,
      startedBy: task.startedBy ?? "",
      environment,
      process,
    };
    started.push(startedTask);
    running.set(arn, startedTask);
    void process.ended.then(async (code) => {
      running.delete(arn);
      const reason = `Essential container exited with ${code}`;
      // the task may have been stopped already, or its cluster be gone
      await aws.ecs.send(new StopTaskCommand({ cluster, task: arn, reason })).catch(() => undefined);
    });
  }

  const loop = (async () => {
    while (!stopping) {
      await look().catch((error: Error) => {
        if (!stopping && error.name !== "ClusterNotFoundException") console.warn(`ECS agent: ${error.message}`);
      });
      await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
    }
  })();

  return {
    started: () => started,
    async stop() {
      stopping = true;
      await loop;
      await Promise.all([...running.values()].map((task) => task.process.stop()));
    },
  };
}
