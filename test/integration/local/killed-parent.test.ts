import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "@jest/globals";
import { writeSmallAssembly } from "../../support/small-assembly.ts";

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const UP = `console.log("up"); setInterval(() => {}, 1000);`;

describe("a local run whose process is killed", () => {
  it.each([
    ["ECS tasks", "ecs:runTask.waitForTaskToken", { TaskDefinition: "workers" }],
    [
      "clients' own workers",
      "sqs:sendMessage.waitForTaskToken",
      { "QueueUrl.$": "$.queue", "MessageBody.$": "$$.Task.Token" },
    ],
  ])("takes its %s with it, and its folder can be used again", async (_, service, parameters) => {
    const { folder, assembly, worker, queueWorker } = writeSmallAssembly({
      worker: UP,
      queueWorker: UP,
      machines: {
        Machine: {
          StartAt: "Train",
          States: {
            Train: { Type: "Task", Resource: `arn:aws:states:::${service}`, Parameters: parameters, End: true },
          },
        },
      },
    });
    const cloud = new URL("../../../cli/src/local/embedded-aws.ts", import.meta.url).href;
    const options = JSON.stringify({
      assembly,
      folder,
      clients: [{ id: "ships", compute: "worker" }],
      concurrentTasks: 1,
      workerEntry: worker,
      queueWorkerEntry: queueWorker,
    });
    const program = (then: string) => `
      const { startEmbeddedAws } = await import(${JSON.stringify(cloud)});
      const aws = await startEmbeddedAws({ ...${options}, onEvent: (event) => event.line === "up" && console.log(aws.workerProcesses()[0]) });
      ${then}`;
    const node = (then: string) =>
      spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", program(then)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
    const parent = node(`
      const machine = aws.resources.find(({ id }) => id.endsWith("Machine")).arn;
      aws.executions.start(machine, { queue: aws.endpoint + "/000000000000/fedmkt-dev-party-ships" });`);
    const workerPid = Number(String((await once(parent.stdout, "data"))[0]));
    expect(isAlive(workerPid)).toBe(true);
    parent.kill("SIGKILL");
    const givenUpMs = Date.now() + 5000;
    while (isAlive(workerPid) && Date.now() < givenUpMs) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isAlive(workerPid)).toBe(false);
    const [exitCode] = await once(node("await aws.stop();"), "exit");
    expect(exitCode).toBe(0);
  });
});
