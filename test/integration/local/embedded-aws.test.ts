import { describe, expect, it } from "@jest/globals";
import { startEmbeddedAws } from "../../../cli/src/local/embedded-aws.ts";
import type { ObjectCreated } from "../../../cli/src/local/object-events.ts";
import { writeSmallAssembly } from "../../support/small-assembly.ts";
import { arnOf, one, runMachine, TASKS, useSmallCloud, workerTask } from "../../support/small-cloud.ts";

const cloud = useSmallCloud();

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe("the embedded cloud", () => {
  it("is ready in less than a second, and runs a Lambda, a loop and a Choice", async () => {
    const before = performance.now();
    const aws = await cloud.start({
      functions: {
        Count:
          "export const handler = async ({ n }, context) => ({ n: n + 1, left: context.getRemainingTimeInMillis() > 0, files: process.env.FEDMKT_LOCAL_FILES });",
      },
      machines: {
        Machine: {
          StartAt: "Count",
          States: {
            Count: {
              Type: "Task",
              Resource: `${TASKS}lambda:invoke`,
              Parameters: { FunctionName: { "Fn::GetAtt": ["Count", "Arn"] }, "Payload.$": "$" },
              OutputPath: "$.Payload",
              Next: "More",
            },
            More: {
              Type: "Choice",
              Choices: [{ Variable: "$.n", NumericLessThan: 3, Next: "Count" }],
              Default: "Done",
            },
            Done: { Type: "Succeed" },
          },
        },
      },
    });
    expect(performance.now() - before).toBeLessThan(1000);
    expect(await runMachine(aws, { n: 0 })).toMatchObject({
      status: "SUCCEEDED",
      output: { n: 3, left: true, files: "true" },
    });
    expect(cloud.events().filter(({ kind }) => kind === "state-entered")).toHaveLength(7);
  });

  it("starts a machine once for every upload of a spec, and for no other object", async () => {
    const aws = await cloud.start({
      machines: { Machine: { StartAt: "P", States: { P: { Type: "Pass", End: true } } } },
      startedByUpload: "Machine",
    });
    const keys: string[] = [];
    aws.onStarted((_, event) => keys.push((event as ObjectCreated).detail.object.key));
    const bytes = new TextEncoder().encode("rounds: 1\n");
    await aws.upload("runs/a/run.yaml", bytes);
    await aws.upload("runs/a/run.yaml", bytes);
    await aws.upload("runs/a/plan.json", bytes);
    await aws.upload("runs/a/run.yaml", bytes, aws.artefacts);
    expect(keys).toEqual(["runs/a/run.yaml", "runs/a/run.yaml"]);
    const [first, second] = aws.executions.all();
    expect(first!.description.executionArn).not.toBe(second!.description.executionArn);
    expect(JSON.parse((await first!.ended).output!)).toMatchObject({ detail: { bucket: { name: aws.control } } });
  });

  it("gives a failed child's whole description as the cause of States.TaskFailed, and a good one's output parsed", async () => {
    const nested = {
      StartAt: "Child",
      States: {
        Child: {
          Type: "Task",
          Resource: `${TASKS}states:startExecution.sync:2`,
          Parameters: { StateMachineArn: { Ref: "Inner" }, "Input.$": "$" },
          End: true,
        },
      },
    };
    const aws = await cloud.start({
      machines: {
        Machine: nested,
        Inner: {
          StartAt: "Which",
          States: {
            Which: {
              Type: "Choice",
              Choices: [{ Variable: "$.good", BooleanEquals: true, Next: "Good" }],
              Default: "Bad",
            },
            Good: { Type: "Pass", Result: { answer: 42 }, End: true },
            Bad: { Type: "Fail", Error: "InvalidInputError", Cause: "shard 3" },
          },
        },
      },
    });
    expect((await runMachine(aws, { good: true })).output).toMatchObject({
      Status: "SUCCEEDED",
      Output: { answer: 42 },
    });
    const bad = await runMachine(aws, { good: false });
    expect(bad.error).toBe("States.TaskFailed");
    expect(JSON.parse(bad.cause!)).toMatchObject({ Status: "FAILED", Error: "InvalidInputError", Cause: "shard 3" });
  });

  it("leaves no process and no port when it is stopped in the middle of a task", async () => {
    const aws = await cloud.start({
      worker: `process.on("SIGTERM", () => {}); process.stdout.write("up\\n"); setInterval(() => {}, 1000);`,
      machines: { Machine: one(workerTask({ TimeoutSeconds: 60 })) },
    });
    const running = aws.executions.start(arnOf(aws, "Machine"), {});
    while (!cloud.events().some((event) => event.kind === "log" && event.line === "up"))
      await new Promise((resolve) => setTimeout(resolve, 20));
    const pids = aws.workerProcesses();
    expect(pids).toHaveLength(1);
    await aws.stop();
    expect((await running.ended).status).toBe("ABORTED");
    expect(pids.filter(isAlive)).toEqual([]);
    await expect(fetch(aws.endpoint)).rejects.toThrow();
  }, 20_000);

  it("serves nobody without the credentials of this start, which are other ones at every start", async () => {
    const { folder, assembly } = writeSmallAssembly({ machines: {} });
    const first = await startEmbeddedAws({ assembly, folder, concurrentTasks: 1 });
    const earlier = first.environment.AWS_ACCESS_KEY_ID;
    await first.stop();
    const second = cloud.adopt(await startEmbeddedAws({ assembly, folder, concurrentTasks: 1 }));
    expect(second.environment.AWS_ACCESS_KEY_ID).not.toBe(earlier);
    for (const key of [undefined, "local", earlier]) {
      const headers = key ? { authorization: `AWS4-HMAC-SHA256 Credential=${key}/a/us-east-1/s3/aws4_request` } : {};
      const put = { method: "PUT", body: "public: [{ path: /some/secret }]", headers };
      expect((await fetch(`${second.endpoint}/${second.control}/runs/evil/run.yaml`, put)).status).toBe(403);
    }
    expect(second.executions.all()).toEqual([]);
  });

  it("finds the objects of its folder again, and no message of the time before", async () => {
    const { folder, assembly } = writeSmallAssembly({
      machines: {
        Machine: one({
          Resource: `${TASKS}sqs:sendMessage`,
          Parameters: { QueueUrl: { "Fn::ImportValue": "State:Work" }, MessageBody: "old" },
        }),
      },
    });
    const first = await startEmbeddedAws({ assembly, folder, concurrentTasks: 1 });
    await first.upload("runs/a/kept.json", new TextEncoder().encode("{}"));
    await first.executions.start(arnOf(first, "Machine"), {}).ended;
    await expect(startEmbeddedAws({ assembly, folder, concurrentTasks: 1 })).rejects.toMatchObject({
      code: "FOLDER_IN_USE",
    });
    await first.stop();
    const second = cloud.adopt(await startEmbeddedAws({ assembly, folder, concurrentTasks: 1 }));
    const key = second.environment.AWS_ACCESS_KEY_ID;
    const authorization = `AWS4-HMAC-SHA256 Credential=${key}/a/us-east-1/s3/aws4_request`;
    const kept = await fetch(`${second.endpoint}/${second.control}/runs/a/kept.json`, { headers: { authorization } });
    expect(await kept.text()).toBe("{}");
    const received = await fetch(second.endpoint, {
      method: "POST",
      headers: {
        authorization,
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": "AmazonSQS.ReceiveMessage",
      },
      body: JSON.stringify({ QueueUrl: `${second.endpoint}/000000000000/State-Work` }),
    });
    expect(((await received.json()) as { Messages?: unknown[] }).Messages ?? []).toEqual([]);
  });
});
