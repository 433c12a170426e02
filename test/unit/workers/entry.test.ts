import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";

const entry = path.resolve(import.meta.dirname, "../../../gpu-workers/src/entry.ts");
const JOB = { stage: "client-train", run: "harbour-and-forest", round: 1, party: "harbour" };

/** Answers Step Functions calls and writes them down; S3 calls are left unanswered, so that a job hangs in its first one. */
let aws: Server;
let calls: { operation: string; input: Record<string, string> }[] = [];
let onStorageCall = (): void => undefined;

beforeAll(async () => {
  aws = createServer(async (request, response) => {
    const target = String(request.headers["x-amz-target"] ?? "");
    if (target === "") return onStorageCall();
    let body = "";
    for await (const chunk of request) body += chunk;
    calls.push({ operation: target.split(".")[1], input: JSON.parse(body) });
    response.writeHead(200, { "content-type": "application/x-amz-json-1.0" }).end("{}");
  });
  await new Promise<void>((resolve) => aws.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  aws.closeAllConnections();
  aws.close();
});

function startWorker(variables: Record<string, string>): ChildProcess {
  calls = [];
  return spawn(process.execPath, [entry], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${(aws.address() as AddressInfo).port}`,
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      FEDMKT_CONTROL_BUCKET: "control",
      FEDMKT_ARTEFACT_BUCKET: "artefacts",
      FEDMKT_REGISTRY_BUCKET: "registry",
      FEDMKT_HEARTBEAT_SECONDS: "30",
      ...variables,
    },
  });
}
const exitOf = async (worker: ChildProcess): Promise<number | null> => (await once(worker, "exit"))[0];
const failures = () => calls.filter(({ operation }) => operation === "SendTaskFailure").map(({ input }) => input);

describe("the worker's process", () => {
  it("refuses to start without a job and a token", async () => {
    const worker = startWorker({ FEDMKT_JOB: JSON.stringify(JOB) });
    let log = "";
    for (const stream of [worker.stdout!, worker.stderr!]) stream.on("data", (chunk) => (log += chunk));
    expect(await exitOf(worker)).toBe(2);
    expect(log).toContain("FEDMKT_TASK_TOKEN");
    expect(calls).toEqual([]);
  });

  it("fails the token of a job that is none, and ends with 1", async () => {
    const worker = startWorker({ FEDMKT_JOB: '{"stage":"plan-run"}', FEDMKT_TASK_TOKEN: "AQCE-token" });
    expect(await exitOf(worker)).toBe(1);
    expect(failures()).toEqual([
      { taskToken: "AQCE-token", error: "InvalidInputError", cause: expect.stringMatching(/^FEDMKT_JOB: /) },
    ]);
  });

  it("hands its job back as transient when it is told to stop, and ends", async () => {
    const working = new Promise<void>((resolve) => {
      onStorageCall = resolve;
    });
    const worker = startWorker({ FEDMKT_JOB: JSON.stringify(JOB), FEDMKT_TASK_TOKEN: "AQCE-token" });
    await working;
    worker.kill("SIGTERM");
    expect(await exitOf(worker)).toBe(1);
    expect(calls[0].operation).toBe("SendTaskHeartbeat");
    expect(failures()).toEqual([
      { taskToken: "AQCE-token", error: "TransientError", cause: expect.stringMatching(/stopped by SIGTERM/) },
    ]);
  });
});
