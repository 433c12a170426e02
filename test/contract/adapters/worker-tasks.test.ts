import { afterEach, describe, expect, it } from "@jest/globals";
import type { Front } from "../../../cli/src/local/front.ts";
import { EcsWorkerTasks, ecsClient } from "../../../shared/src/adapters/aws/ecs-worker-tasks.ts";
import { EMBEDDED } from "../../support/embedded-stores.ts";
import { awsError, startJsonServices } from "../../support/json-service.ts";

const arnOf = (task: string) => `arn:aws:ecs:us-east-1:000000000000:task/fedmkt-dev-workers/${task}`;

let front: Front;
let stops: Record<string, unknown>[];

/** @param pages - the names of running tasks, page by page */
async function tasksOf(pages: string[][], stop: (task: string) => void = () => {}): Promise<EcsWorkerTasks> {
  stops = [];
  front = await startJsonServices({
    AmazonEC2ContainerServiceV20141113: (operation, input) => {
      if (operation === "ListTasks") {
        // another starter's tasks are somebody else's
        if (input.startedBy !== "run-1" || input.cluster !== "fedmkt-dev-workers") return { taskArns: [] };
        const page = Number(input.nextToken ?? 0);
        const nextToken = page + 1 < pages.length ? String(page + 1) : undefined;
        return { taskArns: pages[page].map(arnOf), nextToken };
      }
      stop(input.task as string);
      stops.push(input);
      return { task: { taskArn: input.task } };
    },
  });
  return new EcsWorkerTasks(ecsClient({ endpoint: front.url, maxAttempts: 1, ...EMBEDDED }), "fedmkt-dev-workers");
}

afterEach(() => front.stop());

describe("tasks of an ECS cluster", () => {
  it("that an execution started are all stopped, page by page, with the reason", async () => {
    const tasks = await tasksOf([["a", "b"], ["c"]]);
    expect(await tasks.stopAll("run-1", "the run has ended")).toEqual([arnOf("a"), arnOf("b"), arnOf("c")]);
    expect(stops).toEqual(
      ["a", "b", "c"].map((task) => ({
        cluster: "fedmkt-dev-workers",
        task: arnOf(task),
        reason: "the run has ended",
      })),
    );
  });

  it("that another execution started are left alone", async () => {
    const tasks = await tasksOf([["a"]]);
    expect(await tasks.stopAll("run-2", "the run has ended")).toEqual([]);
    expect(stops).toEqual([]);
  });

  it("of which one ended meanwhile are stopped all the same", async () => {
    const tasks = await tasksOf([["a", "b"]], (task) => {
      if (task === arnOf("a")) throw awsError("InvalidParameterException", "The referenced task was not found.");
    });
    await tasks.stopAll("run-1", "the run has ended");
    expect(stops).toMatchObject([{ task: arnOf("b") }]);
  });

  it("that cannot be stopped are told", async () => {
    const tasks = await tasksOf([["a"]], () => {
      throw awsError("InvalidParameterException", "Invalid reason");
    });
    await expect(tasks.stopAll("run-1", "x")).rejects.toMatchObject({ message: expect.stringContaining(arnOf("a")) });
  });

  it("are told a reason that is no longer than ECS takes", async () => {
    const tasks = await tasksOf([["a"]]);
    await tasks.stopAll("run-1", "x".repeat(300));
    expect(stops).toMatchObject([{ reason: "x".repeat(255) }]);
  });
});
