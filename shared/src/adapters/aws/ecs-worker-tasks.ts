import { ECSClient, type ECSClientConfig, ListTasksCommand, StopTaskCommand } from "@aws-sdk/client-ecs";
import type { WorkerTasks } from "../../ports/worker-tasks.ts";
import { awsFailure } from "./aws-failure.ts";

/** ECS' own limit for a reason. */
const MAX_REASON_CHARACTERS = 255;

export function ecsClient(config: ECSClientConfig = {}): ECSClient {
  return new ECSClient(config);
}

/** Tasks of one ECS cluster. */
export class EcsWorkerTasks implements WorkerTasks {
  readonly #client: ECSClient;
  readonly #cluster: string;

  constructor(client: ECSClient, cluster: string) {
    this.#client = client;
    this.#cluster = cluster;
  }

  async stopAll(executionName: string, reason: string): Promise<string[]> {
    const tasks = await this.#running(executionName);
    for (const task of tasks) await this.#stop(task, reason);
    return tasks;
  }

  /** All pages first: tasks that are stopped meanwhile would shift them. */
  async #running(startedBy: string): Promise<string[]> {
    const tasks: string[] = [];
    let nextToken: string | undefined;
    try {
      do {
        const page = await this.#client.send(new ListTasksCommand({ cluster: this.#cluster, startedBy, nextToken }));
        tasks.push(...(page.taskArns ?? []));
        nextToken = page.nextToken;
      } while (nextToken);
    } catch (cause) {
      throw awsFailure(`ecs:ListTasks of ${this.#cluster} started by ${startedBy}`, cause);
    }
    return tasks;
  }

  async #stop(task: string, reason: string): Promise<void> {
    try {
      await this.#client.send(
        new StopTaskCommand({ cluster: this.#cluster, task, reason: reason.slice(0, MAX_REASON_CHARACTERS) }),
      );
    } catch (cause) {
      if (!isGone(cause)) throw awsFailure(`ecs:StopTask ${task}`, cause);
    }
  }
}

/** A task that ended meanwhile is what was wanted. */
function isGone(cause: unknown): boolean {
  const { name, message } = cause as Error;
  return name === "InvalidParameterException" && /task was not found/i.test(message);
}
