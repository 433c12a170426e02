import { describe, expect, it } from "@jest/globals";
import { startEmbeddedAws } from "../../../cli/src/local/embedded-aws.ts";
import { CALL_STATES, writeSmallAssembly } from "../../support/small-assembly.ts";
import { one, runMachine, TASKS, useSmallCloud } from "../../support/small-cloud.ts";

const cloud = useSmallCloud();

describe("the embedded cloud's functions", () => {
  it("names a handler's error by its class, a time-out and a death as Lambda does", async () => {
    const invoke = (id: string) =>
      one({ Resource: `${TASKS}lambda:invoke`, Parameters: { FunctionName: { Ref: id }, "Payload.$": "$" } });
    const aws = await cloud.start({
      functions: {
        Throws:
          "class InvalidInputError extends Error { name = 'InvalidInputError' }\nexport const handler = async () => { throw new InvalidInputError('line 3'); };",
        Hangs: {
          source: "export const handler = () => new Promise(() => setInterval(() => {}, 1000));",
          timeoutSeconds: 1,
        },
        Dies: "export const handler = (event) => event.die ? process.exit(3) : { alive: true };",
        Eats: {
          source: "export const handler = async () => { const all = []; for (;;) all.push(new Array(1e5).fill({})); };",
          memoryMb: 32,
        },
      },
      machines: { Throws_: invoke("Throws"), Hangs_: invoke("Hangs"), Dies_: invoke("Dies"), Eats_: invoke("Eats") },
    });
    const thrown = await runMachine(aws, {}, "Throws_");
    expect(thrown).toMatchObject({ status: "FAILED", error: "InvalidInputError" });
    expect(JSON.parse(thrown.cause!)).toMatchObject({ errorType: "InvalidInputError", errorMessage: "line 3" });
    expect(await runMachine(aws, {}, "Hangs_")).toMatchObject({ error: "Sandbox.Timedout" });
    expect(await runMachine(aws, { die: true }, "Dies_")).toMatchObject({ error: "Runtime.ExitError" });
    expect(await runMachine(aws, { die: false }, "Dies_")).toMatchObject({ status: "SUCCEEDED" });
    expect(await runMachine(aws, {}, "Eats_")).toMatchObject({ error: "Runtime.ExitError" });
  });

  it("lets a function's event wait for a free environment without its time-out running, and drops it when nobody waits", async () => {
    const invoke = (TimeoutSeconds: number) => ({
      ...one({
        Resource: `${TASKS}lambda:invoke`,
        Parameters: { FunctionName: { Ref: "Slow" }, "Payload.$": "$" },
        OutputPath: "$.Payload",
        TimeoutSeconds,
      }),
    });
    const all = (inner: object) => ({
      StartAt: "All",
      States: { All: { Type: "Map", ItemsPath: "$.items", ItemProcessor: inner, End: true } },
    });
    const { folder, assembly } = writeSmallAssembly({
      functions: {
        Slow: `let calls = 0;
          export const handler = async ({ fail }) => {
            const call = ++calls;
            await new Promise((resolve) => setTimeout(resolve, 700));
            if (fail) throw new Error("no");
            return call;
          };`,
      },
      machines: { Machine: all(invoke(1)) },
    });
    const aws = cloud.adopt(await startEmbeddedAws({ assembly, folder, concurrentTasks: 1, lambdaConcurrency: 1 }));
    const { status, output } = await runMachine(aws, { items: [{}, {}, {}] });
    expect([status, output]).toEqual(["SUCCEEDED", [1, 2, 3]]);
    expect(await runMachine(aws, { items: [{ fail: true }, {}, {}] })).toMatchObject({ status: "FAILED" });
    // the fifth call took the failed one's place at once, before the Map knew; the sixth was still waiting
    expect(await runMachine(aws, { items: [{}] })).toMatchObject({ output: [6] });
  });

  it("delivers queued tasks again after a partial failure, and a poisoned one to the dead-letter queue", async () => {
    const send = {
      Resource: `${TASKS}sqs:sendMessage.waitForTaskToken`,
      Parameters: {
        QueueUrl: { "Fn::ImportValue": "State:Work" },
        MessageBody: { "taskToken.$": "$$.Task.Token", "shard.$": "$.shard" },
      },
    };
    const aws = await cloud.start({
      queue: { visibilitySeconds: 1, maxReceives: 2 },
      functions: {
        Align: `${CALL_STATES}
          export const handler = async ({ Records }) => {
            const batchItemFailures = [];
            for (const { messageId, body, attributes, eventSource } of Records) {
              const { taskToken, shard } = JSON.parse(body);
              const receives = Number(attributes.ApproximateReceiveCount);
              if (shard === 2 || (shard === 1 && receives === 1)) batchItemFailures.push({ itemIdentifier: messageId });
              else await states("SendTaskSuccess", { taskToken, output: JSON.stringify({ shard, receives, eventSource }) });
            }
            return { batchItemFailures };
          };`,
        Bury: `${CALL_STATES}
          export const handler = async ({ Records }) => {
            for (const { body } of Records) await states("SendTaskFailure", { taskToken: JSON.parse(body).taskToken, error: "InvalidInputError", cause: "poisoned" });
          };`,
      },
      triggers: [
        { queue: "Work", function: "Align", batchSize: 5, reportsFailures: true },
        { queue: "Dead", function: "Bury", batchSize: 5, reportsFailures: false },
      ],
      machines: {
        Machine: {
          StartAt: "All",
          States: {
            All: {
              Type: "Map",
              ItemsPath: "$.shards",
              ItemProcessor: {
                StartAt: "Align",
                States: {
                  Align: {
                    Type: "Task",
                    ...send,
                    Catch: [{ ErrorEquals: ["InvalidInputError"], ResultPath: "$.error", Next: "Kept" }],
                    End: true,
                  },
                  Kept: { Type: "Pass", End: true },
                },
              },
              End: true,
            },
          },
        },
      },
    });
    const { output } = await runMachine(aws, { shards: [{ shard: 0 }, { shard: 1 }, { shard: 2 }] });
    expect(output).toEqual([
      { shard: 0, receives: 1, eventSource: "aws:sqs" },
      { shard: 1, receives: 2, eventSource: "aws:sqs" },
      { shard: 2, error: { Error: "InvalidInputError", Cause: "poisoned" } },
    ]);
  });
});
