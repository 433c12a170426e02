import { describe, expect, it } from "@jest/globals";
import { TransientError } from "../../../shared/src/core/errors.ts";
import type { WorkerTasks } from "../../../shared/src/ports/worker-tasks.ts";
import { createStopTasksHandler } from "../../../shared/src/runtime/create-stop-tasks-handler.ts";
import { stopTasks } from "../../../shared/src/use-cases/stop-tasks.ts";
import { lambdaContext } from "../../support/lambda-context.ts";
import { readEvent } from "../../support/read-event.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const EVENTS = ["stop-tasks/run-succeeded", "fail-run/run-failed", "fail-run/run-timed-out", "fail-run/run-aborted"];

const handlerOf = (tasks: WorkerTasks, logger = new RecordingLogger()) =>
  createStopTasksHandler(stopTasks, { tasks }, logger as never);

describe("the handler of stop-tasks", () => {
  it.each(EVENTS)("stops what the execution of %s started, however it ended", async (name) => {
    const asked: string[][] = [];
    const tasks = {
      stopAll: async (...args: [string, string]) => {
        asked.push(args);
        return ["arn:task/1"];
      },
    };
    const { detail } = readEvent(name);
    expect(await handlerOf(tasks)(readEvent(name), lambdaContext)).toEqual({ stopped: ["arn:task/1"] });
    expect(asked).toEqual([[detail.name, `the run's execution has ended: ${detail.status}`]]);
  });

  it("says in its log which tasks it stopped", async () => {
    const logger = new RecordingLogger();
    const tasks = { stopAll: async () => ["arn:task/1", "arn:task/2"] };
    await handlerOf(tasks, logger)(readEvent(EVENTS[3]), lambdaContext);
    expect(logger.lines).toMatchObject([
      { message: "tasks stopped", extra: { status: "ABORTED", tasks: ["arn:task/1", "arn:task/2"] } },
    ]);
  });

  it("lets a failure out, so that EventBridge sends the event again", async () => {
    const logger = new RecordingLogger();
    const tasks = { stopAll: () => Promise.reject(new TransientError("AWS_UNAVAILABLE", "ecs:ListTasks: busy")) };
    const handler = handlerOf(tasks, logger);
    await expect(handler(readEvent(EVENTS[0]), lambdaContext)).rejects.toMatchObject({ name: "TransientError" });
    expect(logger.lines).toMatchObject([{ level: "ERROR", extra: { code: "AWS_UNAVAILABLE" } }]);
  });

  it("refuses what is no end of an execution", async () => {
    const tasks = { stopAll: () => Promise.reject(new Error("nothing was to be stopped")) };
    const running = { ...readEvent(EVENTS[0]), detail: { ...readEvent(EVENTS[0]).detail, status: "RUNNING" } };
    for (const event of [running, readEvent("run/run-uploaded")])
      await expect(handlerOf(tasks)(event, lambdaContext)).rejects.toMatchObject({ code: "STAGE_INPUT_INVALID" });
  });
});
