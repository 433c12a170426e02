import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import type { SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import { S3ObjectStore } from "../../../shared/src/adapters/aws/s3-object-store.ts";
import { sqsClient } from "../../../shared/src/adapters/aws/sqs-message-queue.ts";
import { artefactKeys, CHECKPOINT, controlKeys, MANIFEST } from "../../../shared/src/contracts/keys.ts";
import { manifest } from "../../../shared/src/contracts/manifest.ts";
import { usage } from "../../../shared/src/contracts/usage.ts";
import { readTrainingState } from "../../../shared/src/formats/training-state.ts";
import { ADAPTER } from "../../../shared/src/use-cases/party-outputs.ts";
import { planRun } from "../../../shared/src/use-cases/plan-run.ts";
import { EMBEDDED, type EmbeddedStores, startEmbeddedStores } from "../../support/embedded-stores.ts";
import { EXECUTION } from "../../support/execution-arn.ts";
import { createJobQueue } from "../../support/job-queues.ts";
import { stageRun } from "../../support/run-stages.ts";
import { specYaml, type TinySpec, writeTinyFederation } from "../../support/tiny-federation.ts";

const entry = (name: string) => path.resolve(import.meta.dirname, `../../../gpu-workers/src/${name}.ts`);
const BUCKETS = { control: "fedmkt-control", artefacts: "fedmkt-artefacts", registry: "fedmkt-registry" };
/** Long enough to be stopped in the middle, and to be killed after a checkpoint. */
const SHORT = { privateEpochs: 600 };
const LONG = { privateEpochs: 1000, batchSize: 1 };

let stores: EmbeddedStores;
let queues: SQSClient;
let objects: S3ObjectStore;
let spec: TinySpec;
/** what workers tell Step Functions */
const told: { operation: string; input: Record<string, string> }[] = [];
const answersTo = (token: string) =>
  told.filter(({ operation, input }) => operation !== "SendTaskHeartbeat" && input.taskToken === token);

beforeAll(async () => {
  stores = await startEmbeddedStores(Object.values(BUCKETS), {
    AWSStepFunctions: (operation, input) => {
      told.push({ operation, input: input as Record<string, string> });
      return {};
    },
  });
  queues = sqsClient({ endpoint: stores.url, useQueueUrlAsEndpoint: false, ...EMBEDDED });
  objects = new S3ObjectStore(stores.s3);
  spec = writeTinyFederation(path.join(stores.folder, "federation"));
});
afterAll(async () => {
  queues.destroy();
  await stores.stop();
});

/** A run that is planned, and its first job. */
async function planned(name: string, changes: object = SHORT) {
  const key = controlKeys.spec(name);
  const clients = spec.clients.map((client) => ({ ...client, training: { ...client.training, ...changes } }));
  await objects.put(BUCKETS.control, key, specYaml({ ...spec, name, clients }));
  await planRun({ ...stageRun().deps, objects, buckets: BUCKETS })({
    bucket: BUCKETS.control,
    key,
    execution: EXECUTION,
  });
  return {
    job: { stage: "client-train", run: name, round: 1, party: "ships" },
    folder: artefactKeys.job(name, 1, "client-train", "ships"),
  };
}

const running: ChildProcess[] = [];
afterEach(() => {
  for (const worker of running.splice(0)) worker.kill("SIGKILL");
});

interface Worker {
  process: ChildProcess;
  exited: Promise<number | null>;
  /** training steps that it has told of */
  steps: number[];
  log: () => string;
}

function startWorker(program: "entry" | "queue-entry", variables: Record<string, string>): Worker {
  const child = spawn(process.execPath, ["--no-warnings", entry(program)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      AWS_ENDPOINT_URL: stores.url,
      AWS_REGION: EMBEDDED.region,
      AWS_ACCESS_KEY_ID: EMBEDDED.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: EMBEDDED.credentials.secretAccessKey,
      FEDMKT_CONTROL_BUCKET: BUCKETS.control,
      FEDMKT_ARTEFACT_BUCKET: BUCKETS.artefacts,
      FEDMKT_REGISTRY_BUCKET: BUCKETS.registry,
      FEDMKT_LOCAL_FILES: "true",
      ...variables,
    },
  });
  running.push(child);
  let log = "";
  const steps: number[] = [];
  child.stderr.on("data", (chunk) => (log += chunk));
  createInterface(child.stdout).on("line", (line) => {
    log += `${line}\n`;
    const { step, phase } = JSON.parse(line).progress ?? {};
    if (phase === "training") steps.push(step);
  });
  return { process: child, exited: once(child, "exit").then(([code]) => code), steps, log: () => log };
}

const startTask = (job: object, token: string, more: Record<string, string> = {}) =>
  startWorker("entry", { FEDMKT_JOB: JSON.stringify(job), FEDMKT_TASK_TOKEN: token, ...more });

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    if (tries === 600) throw new Error("it did not come about in 30 seconds");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const hasCheckpoint = async (folder: string) =>
  (await objects.head(BUCKETS.artefacts, `${folder}/${CHECKPOINT}`)) !== null;
const checkpointStep = async (folder: string) =>
  readTrainingState(await objects.get(BUCKETS.artefacts, `${folder}/${CHECKPOINT}`, 1e9), "checkpoint").step;
async function adapterHash(folder: string): Promise<string> {
  const bytes = await objects.get(BUCKETS.artefacts, `${folder}/${MANIFEST}`, 1e6);
  return manifest.parse(JSON.parse(Buffer.from(bytes).toString())).outputs.find(({ name }) => name === ADAPTER)!.sha256;
}

let undisturbed: string;
it("a worker that nobody disturbs writes no checkpoint, and what it used beside its outputs", async () => {
  const { job, folder } = await planned("calm");
  const worker = startTask(job, "calm", { FEDMKT_INSTANCE_TYPE: "g5.xlarge", FEDMKT_SPOT: "true" });
  expect([await worker.exited, worker.log()]).toEqual([0, expect.anything()]);
  expect(answersTo("calm")).toMatchObject([{ operation: "SendTaskSuccess" }]);
  expect(await hasCheckpoint(folder)).toBe(false);
  undisturbed = await adapterHash(folder);
  const [key, ...others] = await objects.list(BUCKETS.artefacts, "runs/calm/usage/ships/");
  expect(others).toEqual([]);
  const used = usage.parse(JSON.parse(Buffer.from(await objects.get(BUCKETS.artefacts, key, 1e5)).toString()));
  expect(used).toMatchObject({ run: "calm", round: 1, stage: "client-train", instanceType: "g5.xlarge", spot: true });
  expect(used.seconds).toBeGreaterThan(0);
});

describe("a task's worker", () => {
  it("that gets SIGTERM while it trains writes its state, says so to the waiting state, and leaves; the next goes on there", async () => {
    const { job, folder } = await planned("stopped");
    const first = startTask(job, "first");
    await until(() => first.steps.length > 0 && first.steps.at(-1)! > 20);
    const startedMs = performance.now();
    first.process.kill("SIGTERM");
    expect(await first.exited).toBe(1);
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    expect(answersTo("first")).toEqual([
      {
        operation: "SendTaskFailure",
        input: { taskToken: "first", error: "TransientError", cause: expect.stringMatching(/stopped by SIGTERM/) },
      },
    ]);
    const step = await checkpointStep(folder);
    expect(step).toBeGreaterThan(20);
    const next = startTask(job, "next");
    expect(await next.exited).toBe(0);
    expect(Math.min(...next.steps)).toBe(step + 1);
    expect(await adapterHash(folder)).toBe(undisturbed);
    expect(await objects.list(BUCKETS.artefacts, "runs/stopped/usage/ships/")).toHaveLength(2);
  });

  it("that is killed without a word is followed by one that goes on at its last checkpoint", async () => {
    const calm = await planned("calm-and-long", LONG);
    expect(await startTask(calm.job, "calm-and-long").exited).toBe(0);
    const { job, folder } = await planned("killed", LONG);
    const first = startTask(job, "first-killed", { FEDMKT_CHECKPOINT_SECONDS: "1" });
    await until(() => hasCheckpoint(folder));
    first.process.kill("SIGKILL");
    await first.exited;
    const step = await checkpointStep(folder);
    expect(step).toBeGreaterThan(0);
    const next = startTask(job, "next-killed");
    expect(await next.exited).toBe(0);
    expect(Math.min(...next.steps)).toBe(step + 1);
    expect(await adapterHash(folder)).toBe(await adapterHash(calm.folder));
  });
});

describe("a queue's worker process", () => {
  const startAt = (url: string, more: Record<string, string> = {}) =>
    startWorker("queue-entry", { FEDMKT_JOB_QUEUE_URL: url, FEDMKT_PARTY: "ships", ...more });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "that gets %s gives its job back, and another goes on with it",
    async (signal) => {
      const name = `queue-${signal.toLowerCase()}`;
      const { job, folder } = await planned(name);
      const queue = await createJobQueue(queues, name);
      const first = startAt(queue.url);
      await queue.send({ taskToken: name, job });
      await until(() => first.steps.length > 0 && first.steps.at(-1)! > 20);
      first.process.kill(signal);
      expect(await first.exited).toBe(0);
      expect(answersTo(name)).toEqual([]);
      const step = await checkpointStep(folder);
      const next = startAt(queue.url);
      await until(async () => (await queue.count()) === 0);
      expect(answersTo(name)).toMatchObject([{ operation: "SendTaskSuccess" }]);
      expect(Math.min(...next.steps)).toBe(step + 1);
      expect(await adapterHash(folder)).toBe(undisturbed);
      next.process.kill("SIGTERM");
      expect(await next.exited).toBe(0);
    },
  );

  it("does the next job after it failed in one", async () => {
    const { job } = await planned("after-failure");
    const queue = await createJobQueue(queues, "after-failure");
    const worker = startAt(queue.url);
    await queue.send({ taskToken: "unplanned", job: { ...job, run: "never-planned" } });
    await until(() => answersTo("unplanned").length > 0);
    await queue.send({ taskToken: "planned", job });
    await until(async () => (await queue.count()) === 0);
    expect(answersTo("unplanned")).toMatchObject([
      { operation: "SendTaskFailure", input: { error: "InvalidInputError" } },
    ]);
    expect(answersTo("planned")).toMatchObject([{ operation: "SendTaskSuccess" }]);
    expect(worker.log()).toContain('"message":"job done"');
  });

  it("takes no job where it cannot compute on its device: a job that is refused fails its run", async () => {
    const { job } = await planned("no-device");
    const queue = await createJobQueue(queues, "no-device");
    await queue.send({ taskToken: "no-device", job });
    const worker = startAt(queue.url, { FEDMKT_DEVICE: "cuda" });
    expect(await worker.exited).toBe(2);
    expect(worker.log()).toContain("DEVICE_UNAVAILABLE");
    expect(await queue.visible()).toHaveLength(1);
    expect(answersTo("no-device")).toEqual([]);
  });

  it("refuses to start without a queue, in words", async () => {
    const worker = startWorker("queue-entry", { FEDMKT_PARTY: "ships" });
    expect(await worker.exited).toBe(2);
    expect(worker.log()).toMatch(/ENVIRONMENT_INVALID.*FEDMKT_JOB_QUEUE_URL/);
  });
});

describe("a process that was told to stop and does not", () => {
  it("ends at once at the second signal", async () => {
    const program = `
      import { listenForStop } from ${JSON.stringify(pathToFileURL(entry("process-stop")).href)};
      const { stopping } = listenForStop(["SIGTERM", "SIGINT"], { warn: () => console.log("told") });
      stopping.addEventListener("abort", () => console.log(stopping.reason.code));
      setInterval(() => {}, 1000);
      console.log("ready");`;
    const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", program]);
    running.push(child);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const next = async () => (await lines.next()).value;
    expect(await next()).toBe("ready");
    child.kill("SIGINT");
    expect([await next(), await next()]).toEqual(["told", "WORKER_STOPPED"]);
    child.kill("SIGTERM");
    expect((await once(child, "exit"))[0]).toBe(1);
  });
});
