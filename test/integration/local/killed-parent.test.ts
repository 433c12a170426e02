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

describe("a local run whose process is killed", () => {
  it("takes its workers with it, and its folder can be used again", async () => {
    const { folder, assembly, worker } = writeSmallAssembly({
      worker: `console.log("up"); setInterval(() => {}, 1000);`,
      machines: {
        Machine: {
          StartAt: "Train",
          States: {
            Train: {
              Type: "Task",
              Resource: "arn:aws:states:::ecs:runTask.waitForTaskToken",
              Parameters: { TaskDefinition: "workers" },
              End: true,
            },
          },
        },
      },
    });
    const cloud = new URL("../../../cli/src/local/embedded-aws.ts", import.meta.url).href;
    const options = JSON.stringify({ assembly, folder, concurrentTasks: 1, workerEntry: worker });
    const program = (then: string) => `
      const { startEmbeddedAws } = await import(${JSON.stringify(cloud)});
      const aws = await startEmbeddedAws({ ...${options}, onEvent: (event) => event.line === "up" && console.log(aws.workerProcesses()[0]) });
      ${then}`;
    const node = (then: string) =>
      spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", program(then)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
    const parent = node(`aws.executions.start(aws.resources.find(({ id }) => id.endsWith("Machine")).arn, {});`);
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
