import { describe, expect, it } from "@jest/globals";
import { one, runMachine, useSmallCloud, WORKER, workerTask } from "../../support/small-cloud.ts";

const cloud = useSmallCloud();

const retried = (error: string) => ({ Retry: [{ ErrorEquals: [error], IntervalSeconds: 1, MaxAttempts: 1 }] });

/** A worker that does something else at its first try than at the next one. */
const worker = (first: string, next: string) => `import { appendFileSync, readFileSync } from "node:fs";
  ${WORKER}
  const file = new URL("./notes", import.meta.url);
  appendFileSync(file, taskToken + "\\n");
  const tokens = readFileSync(file, "utf8").trim().split("\\n");
  if (tokens.length === 1) { ${first} } else { ${next} }`;
const SUCCEED = `await states("SendTaskSuccess", { taskToken, output: JSON.stringify({ taskToken }) });`;

describe("a Task state that tries again", () => {
  it.each([
    ["States.HeartbeatTimeout", "after a lost heartbeat", { HeartbeatSeconds: 1 }, "setInterval(() => {}, 1000);"],
    [
      "States.Timeout",
      "after its time-out",
      { HeartbeatSeconds: 1, TimeoutSeconds: 2 },
      'setInterval(() => states("SendTaskHeartbeat", { taskToken }), 200);',
    ],
    ["States.HeartbeatTimeout", "after its worker was killed", {}, 'process.kill(process.pid, "SIGKILL");'],
    [
      "TransientError",
      "after an error that passes",
      {},
      'await states("SendTaskFailure", { taskToken, error: "TransientError", cause: "" });',
    ],
  ])("on %s %s has a new token, and the old one is worth nothing any more", async (error, _, limits, first) => {
    const aws = await cloud.start({
      worker: worker(
        first,
        `const old = await states("SendTaskSuccess", { taskToken: tokens[0], output: '"old"' });
        await states("SendTaskSuccess", { taskToken, output: JSON.stringify({ taskToken, old: old.__type }) });`,
      ),
      machines: { Machine: one(workerTask({ ...limits, ...retried(error) })) },
    });
    const { status, output } = await runMachine(aws);
    const [old, fresh] = cloud.notes();
    expect(fresh).not.toBe(old);
    expect([status, output]).toEqual(["SUCCEEDED", { taskToken: fresh, old: "TaskTimedOut" }]);
  });

  it("does not on an error that its Retry does not name", async () => {
    const aws = await cloud.start({
      worker: worker(
        'await states("SendTaskFailure", { taskToken, error: "InvalidInputError", cause: "no" });',
        SUCCEED,
      ),
      machines: { Machine: one(workerTask(retried("TransientError"))) },
    });
    expect(await runMachine(aws)).toMatchObject({ status: "FAILED", error: "InvalidInputError", cause: "no" });
    expect(cloud.notes()).toHaveLength(1);
  });

  it("gets what a Catch leads to where the first kind of machine was taken away", async () => {
    const next = { Catch: [{ ErrorEquals: ["States.HeartbeatTimeout"], ResultPath: null, Next: "OnDemand" }] };
    const aws = await cloud.start({
      worker: worker('process.kill(process.pid, "SIGKILL");', SUCCEED),
      machines: {
        Machine: {
          StartAt: "OnSpot",
          States: {
            OnSpot: { Type: "Task", ...workerTask(next), End: true },
            OnDemand: { Type: "Task", ...workerTask(), End: true },
          },
        },
      },
    });
    expect(await runMachine(aws)).toMatchObject({ status: "SUCCEEDED", output: { taskToken: cloud.notes()[1] } });
    const entered = aws.executions.all()[0]!.history.filter(({ type }) => type === "StateEntered");
    expect(entered.map(({ name }) => name)).toEqual(["OnSpot", "OnDemand"]);
  });
});
