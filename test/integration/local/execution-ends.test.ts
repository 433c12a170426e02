import { describe, expect, it } from "@jest/globals";
import type { EmbeddedAws } from "../../../cli/src/local/embedded-aws.ts";
import { CALL_STATES } from "../../support/small-assembly.ts";
import { arnOf, one, runMachine, TASKS, useSmallCloud, WORKER, workerTask } from "../../support/small-cloud.ts";

const cloud = useSmallCloud();

/** Notes the whole event and gives it back. */
const NOTE = `import { appendFileSync } from "node:fs";
  export const handler = async (event) => { appendFileSync(new URL("../../notes", import.meta.url), JSON.stringify(event) + "\\n"); };`;
const noted = () => cloud.notes().map((line) => JSON.parse(line));

const pass = { StartAt: "P", States: { P: { Type: "Pass", End: true } } };
const wait = (more: object = {}) => ({
  StartAt: "W",
  States: { W: { Type: "Wait", Seconds: 60, End: true } },
  ...more,
});
const parentOf = (child: string) =>
  one({
    Resource: `${TASKS}states:startExecution.sync:2`,
    Parameters: { StateMachineArn: { Ref: child }, "Input.$": "$" },
  });

/** A worker that never answers, and says that it is up. */
const SILENT = `${WORKER} console.log("up", taskToken); setInterval(() => {}, 1000);`;

async function untilUp(): Promise<string> {
  for (;;) {
    const line = cloud.events().find((event) => event.kind === "log" && event.line.startsWith("up "));
    if (line?.kind === "log") return line.line.slice("up ".length);
    await new Promise((done) => setTimeout(done, 20));
  }
}

async function call(aws: EmbeddedAws, target: string, body: object): Promise<Record<string, unknown>> {
  const key = aws.environment.AWS_ACCESS_KEY_ID;
  const answer = await fetch(aws.endpoint, {
    method: "POST",
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${key}/a/us-east-1/states/aws4_request`,
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": target,
    },
    body: JSON.stringify(body),
  });
  return { status: answer.status, ...((await answer.json()) as object) };
}

describe("the end of an execution", () => {
  it("of each kind is told to the functions of the rules that match it, as EventBridge tells it", async () => {
    const ended = (machine: string, statuses: string[]) => ({ machine, statuses, function: "Note" });
    const aws = await cloud.start({
      functions: { Note: NOTE },
      machines: {
        Good: pass,
        Bad: { StartAt: "F", States: { F: { Type: "Fail", Error: "InvalidInputError", Cause: "line 3" } } },
        Late: wait({ TimeoutSeconds: 1 }),
        Stopped: wait(),
        Untold: pass,
      },
      whenEnded: [
        ended("Good", ["SUCCEEDED", "FAILED"]),
        ended("Bad", ["FAILED"]),
        ended("Late", ["TIMED_OUT"]),
        ended("Stopped", ["ABORTED"]),
        ended("Untold", ["FAILED", "TIMED_OUT", "ABORTED"]),
      ],
    });
    expect(await runMachine(aws, {}, "Untold")).toMatchObject({ status: "SUCCEEDED" });
    expect(await runMachine(aws, { n: 1 }, "Good")).toMatchObject({ status: "SUCCEEDED" });
    expect(await runMachine(aws, {}, "Bad")).toMatchObject({ status: "FAILED" });
    expect(await runMachine(aws, {}, "Late")).toMatchObject({ status: "TIMED_OUT", error: "States.Timeout" });
    const stopped = aws.executions.start(arnOf(aws, "Stopped"), {});
    const { executionArn } = stopped.description;
    const answer = await call(aws, "AWSStepFunctions.StopExecution", { executionArn, error: "Operator", cause: "tea" });
    expect(answer).toMatchObject({ status: 200, stopDate: expect.any(Number) });
    await aws.settled();
    // events of different executions come in any order, as EventBridge's do
    const told = Object.groupBy(noted(), ({ detail }) => detail.status as string);
    expect(Object.keys(told).sort()).toEqual(["ABORTED", "FAILED", "SUCCEEDED", "TIMED_OUT"]);
    const [[good], [bad], [late], [aborted]] = ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"].map((end) => told[end]!);
    expect(noted()).toHaveLength(4);
    expect(good).toMatchObject({
      source: "aws.states",
      "detail-type": "Step Functions Execution Status Change",
      detail: { status: "SUCCEEDED", input: '{"n":1}', output: '{"n":1}', error: null, cause: null },
    });
    expect(bad.detail).toMatchObject({ status: "FAILED", error: "InvalidInputError", cause: "line 3", output: null });
    expect(late.detail).toMatchObject({ status: "TIMED_OUT", output: null });
    expect(aborted).toMatchObject({
      resources: [executionArn],
      detail: { executionArn, status: "ABORTED", error: "Operator", cause: "tea" },
    });
    expect(aborted.detail.stopDate).toBeGreaterThanOrEqual(aborted.detail.startDate);
  });

  it("by a stop ends its child and the child's waiting tasks, whose tokens are worth nothing then", async () => {
    const aws = await cloud.start({
      worker: SILENT,
      machines: { Machine: parentOf("Inner"), Inner: one(workerTask({ TimeoutSeconds: 600 })) },
    });
    const parent = aws.executions.start(arnOf(aws, "Machine"), {});
    const taskToken = await untilUp();
    expect(aws.executions.all().map(({ description }) => description.status)).toEqual(["RUNNING", "RUNNING"]);
    await call(aws, "AWSStepFunctions.StopExecution", { executionArn: parent.description.executionArn });
    await Promise.all(aws.executions.all().map(({ ended }) => ended));
    expect(aws.executions.all().map(({ description }) => description.status)).toEqual(["ABORTED", "ABORTED"]);
    for (const target of ["SendTaskHeartbeat", "SendTaskSuccess"]) {
      const answer = await call(aws, `AWSStepFunctions.${target}`, { taskToken, output: "{}" });
      expect(answer).toMatchObject({ status: 400, __type: "TaskTimedOut" });
    }
  });

  it("by its parent's time-out ends a child too", async () => {
    const aws = await cloud.start({
      worker: SILENT,
      machines: {
        Machine: { ...parentOf("Inner"), TimeoutSeconds: 1 },
        Inner: one(workerTask({ TimeoutSeconds: 600 })),
      },
    });
    expect(await runMachine(aws)).toMatchObject({ status: "TIMED_OUT" });
    await Promise.all(aws.executions.all().map(({ ended }) => ended));
    expect(aws.executions.all().map(({ description }) => description.status)).toEqual(["TIMED_OUT", "ABORTED"]);
  });

  it("leaves its ECS tasks behind, for whoever looks for those that it started", async () => {
    const startedBy = { ...workerTask().Parameters, Cluster: "default", "StartedBy.$": "$.starter" };
    const aws = await cloud.start({
      worker: SILENT,
      functions: {
        Clear: `${CALL_STATES}
          export const handler = async ({ detail }) => {
            const { starter: startedBy } = JSON.parse(detail.input);
            const { taskArns } = await ecs("ListTasks", { cluster: "default", startedBy });
            for (const task of taskArns) await ecs("StopTask", { cluster: "default", task, reason: "its run has ended" });
          };`,
      },
      machines: {
        Machine: one(workerTask({ Parameters: startedBy })),
        Cleared: one(workerTask({ Parameters: startedBy })),
      },
      whenEnded: [{ machine: "Cleared", statuses: ["ABORTED"], function: "Clear" }],
    });
    const [left, cleared] = ["Machine", "Cleared"].map((id) =>
      aws.executions.start(arnOf(aws, id), { starter: `run-${id}` }),
    );
    while (aws.workerProcesses().length < 2) await new Promise((done) => setTimeout(done, 20));
    const list = async (startedBy?: string) =>
      (await call(aws, "AmazonEC2ContainerServiceV20141113.ListTasks", { startedBy })).taskArns as string[];
    expect(await list()).toHaveLength(2);
    const mine = await list("run-Machine");
    expect(mine).toHaveLength(1);
    for (const execution of [left!, cleared!]) {
      execution.stop();
      await execution.ended;
    }
    await aws.settled();
    while (aws.workerProcesses().length > 1) await new Promise((done) => setTimeout(done, 20));
    expect(await list()).toEqual(mine);
    expect(await call(aws, "AmazonEC2ContainerServiceV20141113.StopTask", { task: "none" })).toMatchObject({
      status: 400,
      __type: "InvalidParameterException",
    });
    const stopped = await call(aws, "AmazonEC2ContainerServiceV20141113.StopTask", { task: mine[0], reason: "over" });
    expect(stopped.task).toMatchObject({ taskArn: mine[0], startedBy: "run-Machine", desiredStatus: "STOPPED" });
    while (aws.workerProcesses().length > 0) await new Promise((done) => setTimeout(done, 20));
    expect(await list()).toEqual([]);
  });

  it("is told even where the function that hears of it fails, which is reported", async () => {
    const aws = await cloud.start({
      functions: { Fails: "export const handler = async () => { throw new Error('no disk'); };" },
      machines: { Machine: pass },
      whenEnded: [{ machine: "Machine", statuses: ["SUCCEEDED"], function: "Fails" }],
    });
    expect(await runMachine(aws)).toMatchObject({ status: "SUCCEEDED" });
    await aws.settled();
    expect(cloud.events()).toContainEqual(
      expect.objectContaining({ source: "events", level: "error", line: expect.stringContaining("no disk") }),
    );
  });
});
