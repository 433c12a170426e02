import { describe, expect, it } from "@jest/globals";
import { readAssembly } from "../../../cli/src/local/assembly.ts";
import { edgeSites } from "../../../cli/src/local/clients.ts";
import { CALL_STATES, writeSmallAssembly } from "../../support/small-assembly.ts";
import { arnOf, one, runMachine, TASKS, useSmallCloud } from "../../support/small-cloud.ts";

const cloud = useSmallCloud();

/** A state that waits for a site's worker; its input is `{address, party, …}`. */
const siteTask = (more: object = {}) => ({
  Resource: `${TASKS}sqs:sendMessage.waitForTaskToken`,
  Parameters: {
    "QueueUrl.$": "States.Format('{}fedmkt-dev-party-{}', $.address, $.party)",
    MessageBody: { "taskToken.$": "$$.Task.Token", "job.$": "$" },
  },
  ...more,
});

/** A worker that does one job after another; `work` has the message as `job` and `taskToken`, and gives the answer. */
const worker = (work: string) => `import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
${CALL_STATES}
const { FEDMKT_JOB_QUEUE_URL: QueueUrl, FEDMKT_PARTY: party, OWNER: owner } = process.env;
const note = (text) => appendFileSync(new URL("./notes", import.meta.url), text + "\\n");
const notes = () => readFileSync(new URL("./notes", import.meta.url), "utf8").trim().split("\\n");
process.once("SIGTERM", () => process.exit(0));
for (;;) {
  const { Messages = [] } = await sqs("ReceiveMessage", { QueueUrl, WaitTimeSeconds: 1, MessageSystemAttributeNames: ["All"] });
  for (const { Body, ReceiptHandle, Attributes } of Messages) {
    const { taskToken, job } = JSON.parse(Body);
    const receives = Number(Attributes.ApproximateReceiveCount);
    const output = await (async () => { ${work} })();
    await states("SendTaskSuccess", { taskToken, output: JSON.stringify(output) });
    await sqs("DeleteMessage", { QueueUrl, ReceiptHandle });
  }
}`;

const overAll = (state: object) => ({
  StartAt: "All",
  States: {
    All: {
      Type: "Map",
      ItemsPath: "$.jobs",
      ItemProcessor: { StartAt: "AtSite", States: { AtSite: { Type: "Task", ...state, End: true } } },
      End: true,
    },
  },
});
const ships = { id: "ships", compute: "worker" } as const;
const wards = { id: "wards", compute: "worker" } as const;
const input = (aws: { endpoint: string }, ...jobs: object[]) => ({
  jobs: jobs.map((job) => ({ address: `${aws.endpoint}/000000000000/`, ...job })),
});

describe("clients' own workers", () => {
  it("are started with a client's first job, one for each client, as its container would be told", async () => {
    const aws = await cloud.start(
      {
        queueWorker: worker("return { pid: process.pid, party, owner, n: job.n };"),
        machines: { Machine: overAll(siteTask()) },
      },
      2,
      [ships, wards, { id: "harbour", compute: "ecs" }],
    );
    expect(aws.workerProcesses()).toEqual([]);
    const jobs = [
      { party: "ships", n: 1 },
      { party: "wards", n: 2 },
      { party: "ships", n: 3 },
    ];
    const { output } = await runMachine(aws, input(aws, ...jobs));
    const answers = output as unknown as { pid: number; party: string }[];
    expect(answers).toMatchObject(jobs.map((job) => ({ ...job, owner: job.party })));
    expect(new Set(answers.map(({ pid }) => pid)).size).toBe(2);
    expect(aws.workerProcesses().sort()).toEqual([...new Set(answers.map(({ pid }) => pid))].sort());
    await aws.stop();
    expect(aws.workerProcesses()).toEqual([]);
  });

  it("have no more jobs at once than there are places, which they share with ECS tasks", async () => {
    const aws = await cloud.start(
      {
        queueWorker: worker(
          `note("begin"); await new Promise((done) => setTimeout(done, 200)); note("end"); return {};`,
        ),
        worker: `import { appendFileSync } from "node:fs";
          ${CALL_STATES}
          const note = (text) => appendFileSync(new URL("./notes", import.meta.url), text + "\\n");
          note("begin"); await new Promise((done) => setTimeout(done, 200)); note("end");
          await states("SendTaskSuccess", { taskToken: process.env.TOKEN, output: "{}" });`,
        machines: {
          Machine: {
            StartAt: "Both",
            States: {
              Both: {
                Type: "Parallel",
                Branches: [
                  overAll(siteTask()),
                  one({
                    Resource: `${TASKS}ecs:runTask.waitForTaskToken`,
                    Parameters: {
                      TaskDefinition: "workers",
                      Overrides: {
                        ContainerOverrides: [
                          { Name: "worker", Environment: [{ Name: "TOKEN", "Value.$": "$$.Task.Token" }] },
                        ],
                      },
                    },
                  }),
                ],
                End: true,
              },
            },
          },
        },
      },
      1,
      [ships, wards],
    );
    await runMachine(aws, input(aws, { party: "ships" }, { party: "wards" }, { party: "ships" }));
    expect(cloud.notes()).toEqual(Array.from({ length: 4 }, () => ["begin", "end"]).flat());
  });

  it("are started anew when they are killed, and get the same message again at once", async () => {
    const aws = await cloud.start(
      {
        jobQueue: { visibilitySeconds: 600, maxReceives: 3 },
        queueWorker: worker(`note(taskToken); if (receives === 1) process.kill(process.pid, "SIGKILL");
          return { receives, same: notes().every((each) => each === taskToken), pid: process.pid };`),
        machines: { Machine: overAll(siteTask({ HeartbeatSeconds: 60 })) },
      },
      1,
      [ships],
    );
    const { status, output } = await runMachine(aws, input(aws, { party: "ships" }));
    expect(status).toBe("SUCCEEDED");
    expect(output).toEqual([{ receives: 2, same: true, pid: aws.workerProcesses()[0] }]);
    expect(cloud.notes()).toHaveLength(2);
  });

  it("that die over a job as often as it may be received lose it, as a silent site does after hours", async () => {
    const aws = await cloud.start(
      {
        jobQueue: { visibilitySeconds: 600, maxReceives: 2 },
        queueWorker: worker(`note("begin"); process.exit(9);`),
        machines: { Machine: overAll(siteTask({ HeartbeatSeconds: 3600 })) },
      },
      1,
      [ships],
    );
    expect(await runMachine(aws, input(aws, { party: "ships" }))).toMatchObject({
      status: "FAILED",
      error: "States.HeartbeatTimeout",
      cause: expect.stringContaining("the worker of ships ended (exit code 9)"),
    });
    expect(cloud.notes()).toEqual(["begin", "begin"]);
  });

  it("take up what a worker leaves that goes without a word, once the message may be seen again", async () => {
    // two workers at one site: the first is alive, yet neither answers nor hides its message any longer
    const aws = await cloud.start(
      {
        jobQueue: { visibilitySeconds: 1, maxReceives: 3 },
        queueWorker: worker(
          `if (receives === 1) { setInterval(() => {}, 1000); await new Promise(() => {}); } return {};`,
        ),
        machines: { Machine: overAll(siteTask({ HeartbeatSeconds: 60 })) },
      },
      1,
      [ships],
    );
    const execution = aws.executions.start(arnOf(aws, "Machine"), input(aws, { party: "ships" }));
    const url = `${aws.endpoint}/000000000000/fedmkt-dev-party-ships`;
    const call = async (target: string, body: object) => {
      const key = aws.environment.AWS_ACCESS_KEY_ID;
      const answer = await fetch(aws.endpoint, {
        method: "POST",
        headers: {
          authorization: `AWS4-HMAC-SHA256 Credential=${key}/a/us-east-1/sqs/aws4_request`,
          "content-type": "application/x-amz-json-1.0",
          "x-amz-target": target,
        },
        body: JSON.stringify(body),
      });
      return JSON.parse((await answer.text()) || "{}");
    };
    while (aws.workerProcesses().length === 0) await new Promise((done) => setTimeout(done, 20));
    await new Promise((done) => setTimeout(done, 500)); // the first worker has it
    const receive = () => call("AmazonSQS.ReceiveMessage", { QueueUrl: url, WaitTimeSeconds: 5 });
    const { Messages } = await receive();
    const { taskToken, job } = JSON.parse(Messages[0].Body);
    expect(job).toMatchObject({ party: "ships" });
    await call("AWSStepFunctions.SendTaskSuccess", { taskToken, output: `{"by":"the second"}` });
    expect(await execution.ended).toMatchObject({ status: "SUCCEEDED", output: `[{"by":"the second"}]` });
  });
});

describe("a client's stack", () => {
  it("is made once for each client, by parameters, without what only a cloud has", async () => {
    const aws = await cloud.start({ machines: {} }, 1, [ships, { id: "harbour", compute: "ecs" }]);
    const made = aws.resources.filter(({ id }) => id.startsWith("fedmkt-dev-client"));
    expect(made.map(({ id, name }) => [id, name])).toEqual(
      ["ships", "harbour"].flatMap((client) => [
        [`fedmkt-dev-client-${client}/DeadLetters`, `fedmkt-dev-party-${client}-dead-letters`],
        [`fedmkt-dev-client-${client}/Jobs`, `fedmkt-dev-party-${client}`],
        [`fedmkt-dev-client-${client}/Task`, `fedmkt-dev-party-${client}`],
      ]),
    );
    expect(aws.outputs["fedmkt-dev-client-ships"]).toEqual({
      JobQueueUrl: `${aws.endpoint}/000000000000/fedmkt-dev-party-ships`,
    });
  });

  it("is not made where the run has no clients", async () => {
    const aws = await cloud.start({ machines: {} });
    expect(aws.resources.filter(({ id }) => id.startsWith("fedmkt-dev-client"))).toEqual([]);
  });

  it("must be there to be made, with its queue", () => {
    const { assembly } = writeSmallAssembly({ machines: {} });
    const copies = [{ template: "fedmkt-dev-nobody", stack: "s", parameters: {} }];
    expect(() => readAssembly(assembly, (name) => name, { copies })).toThrow(
      expect.objectContaining({ code: "ASSEMBLY_MISSING", message: expect.stringContaining("fedmkt-dev-nobody") }),
    );
    expect(() => edgeSites([ships], [], (name) => name)).toThrow(
      expect.objectContaining({ code: "QUEUE_MISSING", message: expect.stringContaining("client ships") }),
    );
  });
});
