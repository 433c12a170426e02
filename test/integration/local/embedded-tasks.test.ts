import { renameSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "@jest/globals";
import { one, runMachine, useSmallCloud, WORKER, workerTask } from "../../support/small-cloud.ts";

const cloud = useSmallCloud();

describe("the embedded cloud's workers", () => {
  it("gives each retry a new token", async () => {
    const aws = await cloud.start({
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
    const { output } = await runMachine(aws, { party: "harbour" });
    expect(output).toMatchObject({ party: "harbour" });
    const failed = cloud.events().find((event) => event.kind === "state-failed");
    expect(failed).toMatchObject({ error: "TransientError" });
    expect((failed as { cause: string }).cause).not.toBe(output!.taskToken);
  });

  it("notices a lost heartbeat, a late answer, and a worker that ends without an answer, and stops the worker", async () => {
    const aws = await cloud.start({
      worker: `${WORKER}
        const beat = async () => { const answer = await states("SendTaskHeartbeat", { taskToken }); if (answer.status !== 200) console.log("told", answer.__type); };
        if (job.what === "ends") process.exit(7);
        if (job.what === "beats") setInterval(beat, 200); else await beat();
        setInterval(() => {}, 1000);`,
      machines: {
        Machine: one(workerTask({ HeartbeatSeconds: 1, TimeoutSeconds: 2 })),
      },
    });
    expect(await runMachine(aws, { what: "silent" })).toMatchObject({ error: "States.HeartbeatTimeout" });
    expect(await runMachine(aws, { what: "beats" })).toMatchObject({ error: "States.Timeout" });
    expect(await runMachine(aws, { what: "ends" })).toMatchObject({
      error: "States.HeartbeatTimeout",
      cause: expect.stringContaining("exit code 7"),
    });
    await aws.stop();
    expect(aws.workerProcesses()).toEqual([]);
  });

  it("does not let States.TaskFailed catch a time-out, as AWS does not", async () => {
    const caught = { Catch: [{ ErrorEquals: ["States.TaskFailed"], Next: "Caught" }], End: undefined, Next: "Caught" };
    const machine = (more: object) => ({
      StartAt: "Only",
      States: { Only: { Type: "Task", ...workerTask({ ...caught, ...more }) }, Caught: { Type: "Succeed" } },
    });
    const aws = await cloud.start({
      worker: `${WORKER} setInterval(() => {}, 1000);`,
      machines: { Late: machine({ TimeoutSeconds: 1 }), Silent: machine({ HeartbeatSeconds: 1 }) },
    });
    expect(await runMachine(aws, {}, "Late")).toMatchObject({ status: "FAILED", error: "States.Timeout" });
    expect(await runMachine(aws, {}, "Silent")).toMatchObject({ status: "SUCCEEDED" });
  });

  it("keeps the clocks of a task that waits for its place from running", async () => {
    const aws = await cloud.start(
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
    expect(await runMachine(aws, { items: [{ n: 1 }, { n: 2 }, { n: 3 }] })).toMatchObject({ status: "SUCCEEDED" });
  });

  it("gives the place of a task back that cannot be started, its log for instance not opened", async () => {
    const aws = await cloud.start(
      {
        worker: `${WORKER} await states("SendTaskSuccess", { taskToken, output: "{}" });`,
        machines: { Machine: one(workerTask()) },
      },
      1,
    );
    const logs = path.join(path.dirname(cloud.assembly()), "logs");
    renameSync(logs, `${logs}.away`);
    expect(await runMachine(aws)).toMatchObject({ status: "FAILED", cause: expect.stringContaining("ENOENT") });
    expect(aws.workerProcesses()).toEqual([]);
    renameSync(`${logs}.away`, logs);
    expect(await runMachine(aws)).toMatchObject({ status: "SUCCEEDED" });
  });

  it("gives up the other tasks of a Map when one fails, and starts none of those that wait", async () => {
    const aws = await cloud.start(
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
    expect(await runMachine(aws, { items: [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }] })).toMatchObject({
      status: "SUCCEEDED",
    });
    expect(aws.workerProcesses()).toEqual([]);
    expect(
      cloud.events().filter((event) => event.kind === "state-entered" && event.name === "Only").length,
    ).toBeLessThanOrEqual(4);
  });
});
