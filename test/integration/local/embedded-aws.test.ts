import { renameSync } from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, it } from "@jest/globals";
import { type EmbeddedAws, startEmbeddedAws } from "../../../cli/src/local/embedded-aws.ts";
import type { LocalEvent } from "../../../cli/src/local/local-event.ts";
import { CALL_STATES, type SmallAssembly, writeSmallAssembly } from "../../support/small-assembly.ts";

const TASKS = "arn:aws:states:::";
let cloud: EmbeddedAws | undefined;
let events: LocalEvent[] = [];
let small: ReturnType<typeof writeSmallAssembly>;

afterEach(async () => {
  await cloud?.stop();
  cloud = undefined;
});

async function start(parts: SmallAssembly, concurrentTasks = 2): Promise<EmbeddedAws> {
  small = writeSmallAssembly(parts);
  const { folder, assembly, worker } = small;
  events = [];
  cloud = await startEmbeddedAws({
    assembly,
    folder,
    concurrentTasks,
    workerEntry: worker,
    onEvent: (event) => events.push(event),
  });
  return cloud;
}

const arnOf = (aws: EmbeddedAws, id: string) => aws.resources.find((resource) => resource.id === `Pipeline/${id}`)!.arn;

async function run(aws: EmbeddedAws, input: object = {}, machine = "Machine") {
  const { executionArn } = aws.executions.start(arnOf(aws, machine), input).description;
  const { status, error, cause, output } = await aws.executions.find(executionArn).ended;
  return {
    status,
    error,
    cause,
    output: output === undefined ? undefined : (JSON.parse(output) as Record<string, unknown>),
  };
}

const one = (state: object) => ({ StartAt: "Only", States: { Only: { Type: "Task", End: true, ...state } } });
const workerTask = (more: object = {}) => ({
  Resource: `${TASKS}ecs:runTask.waitForTaskToken`,
  Parameters: {
    TaskDefinition: "workers",
    Overrides: {
      ContainerOverrides: [
        {
          Name: "worker",
          Environment: [
            { Name: "TOKEN", "Value.$": "$$.Task.Token" },
            { Name: "JOB", "Value.$": "States.JsonToString($)" },
          ],
        },
      ],
    },
  },
  ...more,
});
const WORKER = `${CALL_STATES}
const { TOKEN: taskToken, JOB } = process.env;
const job = JSON.parse(JOB);`;

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
    const aws = await start({
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
    expect(await run(aws, { n: 0 })).toMatchObject({
      status: "SUCCEEDED",
      output: { n: 3, left: true, files: "true" },
    });
    expect(events.filter(({ kind }) => kind === "state-entered")).toHaveLength(7);
  });

  it("starts a machine once for every upload of a spec, and for no other object", async () => {
    const aws = await start({
      machines: { Machine: { StartAt: "P", States: { P: { Type: "Pass", End: true } } } },
      startedByUpload: "Machine",
    });
    const keys: string[] = [];
    aws.onStarted((_, event) => keys.push(event.detail.object.key));
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

  it("names a handler's error by its class, a time-out and a death as Lambda does", async () => {
    const invoke = (id: string) =>
      one({ Resource: `${TASKS}lambda:invoke`, Parameters: { FunctionName: { Ref: id }, "Payload.$": "$" } });
    const aws = await start({
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
    const thrown = await run(aws, {}, "Throws_");
    expect(thrown).toMatchObject({ status: "FAILED", error: "InvalidInputError" });
    expect(JSON.parse(thrown.cause!)).toMatchObject({ errorType: "InvalidInputError", errorMessage: "line 3" });
    expect(await run(aws, {}, "Hangs_")).toMatchObject({ error: "Sandbox.Timedout" });
    expect(await run(aws, { die: true }, "Dies_")).toMatchObject({ error: "Runtime.ExitError" });
    expect(await run(aws, { die: false }, "Dies_")).toMatchObject({ status: "SUCCEEDED" });
    expect(await run(aws, {}, "Eats_")).toMatchObject({ error: "Runtime.ExitError" });
  });

  it("gives each retry a new token", async () => {
    const aws = await start({
      worker: `import { existsSync, writeFileSync } from "node:fs";
        ${WORKER}
        const tried = new URL("./tried", import.meta.url);
        const isRetry = existsSync(tried);
        writeFileSync(tried, "");
        if (!isRetry) await states("SendTaskFailure", { taskToken, error: "TransientError", cause: taskToken });
        else await states("SendTaskSuccess", { taskToken, output: JSON.stringify({ taskToken, party: job.party }) });`,
      machines: {
        Machine: one(workerTask({ Retry: [{ ErrorEquals: ["TransientError"], IntervalSeconds: 1, MaxAttempts: 1 }] })),
      },
    });
    const { output } = await run(aws, { party: "harbour" });
    expect(output).toMatchObject({ party: "harbour" });
    const failed = events.find((event) => event.kind === "state-failed");
    expect(failed).toMatchObject({ error: "TransientError" });
    expect((failed as { cause: string }).cause).not.toBe(output!.taskToken);
  });

  it("notices a lost heartbeat, a late answer, and a worker that ends without an answer, and stops the worker", async () => {
    const aws = await start({
      worker: `${WORKER}
        const beat = async () => { const answer = await states("SendTaskHeartbeat", { taskToken }); if (answer.status !== 200) console.log("told", answer.__type); };
        if (job.what === "ends") process.exit(7);
        if (job.what === "beats") setInterval(beat, 200); else await beat();
        setInterval(() => {}, 1000);`,
      machines: {
        Machine: one(workerTask({ HeartbeatSeconds: 1, TimeoutSeconds: 2 })),
      },
    });
    expect(await run(aws, { what: "silent" })).toMatchObject({ error: "States.HeartbeatTimeout" });
    expect(await run(aws, { what: "beats" })).toMatchObject({ error: "States.Timeout" });
    expect(await run(aws, { what: "ends" })).toMatchObject({
      error: "States.HeartbeatTimeout",
      cause: expect.stringContaining("exit code 7"),
    });
    await cloud!.stop();
    expect(aws.workerProcesses()).toEqual([]);
  });

  it("does not let States.TaskFailed catch a time-out, as AWS does not", async () => {
    const caught = { Catch: [{ ErrorEquals: ["States.TaskFailed"], Next: "Caught" }], End: undefined, Next: "Caught" };
    const machine = (more: object) => ({
      StartAt: "Only",
      States: { Only: { Type: "Task", ...workerTask({ ...caught, ...more }) }, Caught: { Type: "Succeed" } },
    });
    const aws = await start({
      worker: `${WORKER} setInterval(() => {}, 1000);`,
      machines: { Late: machine({ TimeoutSeconds: 1 }), Silent: machine({ HeartbeatSeconds: 1 }) },
    });
    expect(await run(aws, {}, "Late")).toMatchObject({ status: "FAILED", error: "States.Timeout" });
    expect(await run(aws, {}, "Silent")).toMatchObject({ status: "SUCCEEDED" });
  });

  it("keeps the clocks of a task that waits for its place from running", async () => {
    const aws = await start(
      {
        worker: `${WORKER}
          const timer = setInterval(() => states("SendTaskHeartbeat", { taskToken }), 300);
          setTimeout(async () => { clearInterval(timer); await states("SendTaskSuccess", { taskToken, output: "{}" }); }, 900);`,
        machines: {
          Machine: {
            StartAt: "All",
            States: {
              All: {
                Type: "Map",
                ItemsPath: "$.items",
                ItemProcessor: one(workerTask({ HeartbeatSeconds: 1, TimeoutSeconds: 2 })),
                End: true,
              },
            },
          },
        },
      },
      1,
    );
    expect(await run(aws, { items: [{ n: 1 }, { n: 2 }, { n: 3 }] })).toMatchObject({ status: "SUCCEEDED" });
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
    cloud = await startEmbeddedAws({ assembly, folder, concurrentTasks: 1, lambdaConcurrency: 1 });
    const { status, output } = await run(cloud, { items: [{}, {}, {}] });
    expect([status, output]).toEqual(["SUCCEEDED", [1, 2, 3]]);
    expect(await run(cloud, { items: [{ fail: true }, {}, {}] })).toMatchObject({ status: "FAILED" });
    // the fifth call took the failed one's place at once, before the Map knew; the sixth was still waiting
    expect(await run(cloud, { items: [{}] })).toMatchObject({ output: [6] });
  });

  it("gives the place of a task back that cannot be started, its log for instance not opened", async () => {
    const aws = await start(
      {
        worker: `${WORKER} await states("SendTaskSuccess", { taskToken, output: "{}" });`,
        machines: { Machine: one(workerTask()) },
      },
      1,
    );
    const logs = path.join(path.dirname(small.assembly), "logs");
    renameSync(logs, `${logs}.away`);
    expect(await run(aws)).toMatchObject({ status: "FAILED", cause: expect.stringContaining("ENOENT") });
    expect(aws.workerProcesses()).toEqual([]);
    renameSync(`${logs}.away`, logs);
    expect(await run(aws)).toMatchObject({ status: "SUCCEEDED" });
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
    const aws = await start({
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
    expect((await run(aws, { good: true })).output).toMatchObject({ Status: "SUCCEEDED", Output: { answer: 42 } });
    const bad = await run(aws, { good: false });
    expect(bad.error).toBe("States.TaskFailed");
    expect(JSON.parse(bad.cause!)).toMatchObject({ Status: "FAILED", Error: "InvalidInputError", Cause: "shard 3" });
  });

  it("delivers queued tasks again after a partial failure, and a poisoned one to the dead-letter queue", async () => {
    const send = {
      Resource: `${TASKS}sqs:sendMessage.waitForTaskToken`,
      Parameters: {
        QueueUrl: { "Fn::ImportValue": "State:Work" },
        MessageBody: { "taskToken.$": "$$.Task.Token", "shard.$": "$.shard" },
      },
    };
    const aws = await start({
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
    const { output } = await run(aws, { shards: [{ shard: 0 }, { shard: 1 }, { shard: 2 }] });
    expect(output).toEqual([
      { shard: 0, receives: 1, eventSource: "aws:sqs" },
      { shard: 1, receives: 2, eventSource: "aws:sqs" },
      { shard: 2, error: { Error: "InvalidInputError", Cause: "poisoned" } },
    ]);
  });

  it("gives up the other tasks of a Map when one fails, and starts none of those that wait", async () => {
    const aws = await start(
      {
        worker: `${WORKER}
          if (job.n === 1) await states("SendTaskFailure", { taskToken, error: "InvalidInputError", cause: "no" });
          else setInterval(() => {}, 1000);`,
        machines: {
          Machine: {
            StartAt: "All",
            States: {
              All: {
                Type: "Map",
                ItemsPath: "$.items",
                MaxConcurrency: 2,
                ItemProcessor: one(workerTask()),
                Catch: [{ ErrorEquals: ["States.ALL"], Next: "Wait" }],
                End: true,
              },
              Wait: { Type: "Wait", Seconds: 1, Next: "Done" },
              Done: { Type: "Succeed" },
            },
          },
        },
      },
      3,
    );
    expect(await run(aws, { items: [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }] })).toMatchObject({ status: "SUCCEEDED" });
    expect(aws.workerProcesses()).toEqual([]);
    expect(
      events.filter((event) => event.kind === "state-entered" && event.name === "Only").length,
    ).toBeLessThanOrEqual(4);
  });

  it("leaves no process and no port when it is stopped in the middle of a task", async () => {
    const aws = await start({
      worker: `process.on("SIGTERM", () => {}); process.stdout.write("up\\n"); setInterval(() => {}, 1000);`,
      machines: { Machine: one(workerTask({ TimeoutSeconds: 60 })) },
    });
    const running = aws.executions.start(arnOf(aws, "Machine"), {});
    while (!events.some((event) => event.kind === "log" && event.line === "up"))
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
    cloud = await startEmbeddedAws({ assembly, folder, concurrentTasks: 1 });
    expect(cloud.environment.AWS_ACCESS_KEY_ID).not.toBe(earlier);
    for (const key of [undefined, "local", earlier]) {
      const headers = key ? { authorization: `AWS4-HMAC-SHA256 Credential=${key}/a/us-east-1/s3/aws4_request` } : {};
      const put = { method: "PUT", body: "public: [{ path: /some/secret }]", headers };
      expect((await fetch(`${cloud.endpoint}/${cloud.control}/runs/evil/run.yaml`, put)).status).toBe(403);
    }
    expect(cloud.executions.all()).toEqual([]);
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
    cloud = await startEmbeddedAws({ assembly, folder, concurrentTasks: 1 });
    const key = cloud.environment.AWS_ACCESS_KEY_ID;
    const authorization = `AWS4-HMAC-SHA256 Credential=${key}/a/us-east-1/s3/aws4_request`;
    const kept = await fetch(`${cloud.endpoint}/${cloud.control}/runs/a/kept.json`, { headers: { authorization } });
    expect(await kept.text()).toBe("{}");
    const received = await fetch(cloud.endpoint, {
      method: "POST",
      headers: {
        authorization,
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": "AmazonSQS.ReceiveMessage",
      },
      body: JSON.stringify({ QueueUrl: `${cloud.endpoint}/000000000000/State-Work` }),
    });
    expect(((await received.json()) as { Messages?: unknown[] }).Messages ?? []).toEqual([]);
  });
});
