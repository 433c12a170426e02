import { mkdirSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { SQSClient } from "@aws-sdk/client-sqs";
import { InvariantError } from "@fedmkt/shared/core/errors.ts";
import { programUrl } from "@fedmkt/shared/core/program-url.ts";
import type { FauxqsServer } from "fauxqs";
import { lockFolder } from "../folder-lock.ts";
import { ACCOUNT, type Assembly, type LocalResource, REGION, readAssembly } from "./assembly.ts";
import { ecsTasks } from "./ecs-tasks.ts";
import { rulesOf } from "./events-rules.ts";
import type { RunningExecution } from "./executions.ts";
import { startFront } from "./front.ts";
import { lambdaFunctions } from "./lambda-functions.ts";
import { localEnvironment, makeLocalCredentials } from "./local-environment.ts";
import type { OnLocalEvent } from "./local-event.ts";
import { toError } from "./named-error.ts";
import { followObjectWrites, type ObjectCreated } from "./object-events.ts";
import { startQueueTriggers } from "./queue-triggers.ts";
import { taskStarter } from "./start-task.ts";
import { type StateMachines, stateMachines } from "./state-machines.ts";
import { statesApi } from "./states-api.ts";
import { objectsFolder } from "./stored-objects.ts";
import { startStores } from "./stores.ts";
import { taskTokens } from "./task-tokens.ts";

const TASK_WORKER = programUrl("task-worker", "../../../gpu-workers/src/entry.ts", import.meta.url);

export interface EmbeddedAwsOptions {
  /** a cloud assembly (cdk.out) */
  assembly: string;
  /** objects go to `<folder>/aws`, logs to `<folder>/logs` */
  folder: string;
  /** ECS tasks that run at once; further ones wait */
  concurrentTasks: number;
  onEvent?: OnLocalEvent;
  /** what an ECS task runs; the repository's worker unless given */
  workerEntry?: string;
  /** execution environments a function has at most */
  lambdaConcurrency?: number;
}

export interface EmbeddedAws {
  /** of S3, SQS and Step Functions */
  endpoint: string;
  /** variables that let AWS SDKs, in this process or another, find everything */
  environment: Record<string, string>;
  control: string;
  artefacts: string;
  outputs: Assembly["outputs"];
  resources: readonly LocalResource[];
  executions: StateMachines;
  /** Writes an object as any client would; rules that match its event have started their machines once this resolves. */
  upload(key: string, bytes: Uint8Array, bucket?: string): Promise<void>;
  /** Told of every execution that a rule starts. */
  onStarted(listener: (execution: RunningExecution, event: ObjectCreated) => void): void;
  workerProcesses(): number[];
  stop(): Promise<void>;
}

/**
 * Brings a cloud assembly to life in this process, on loopback: S3 and SQS (fauxqs behind the front), Step Functions, Lambda in
 * worker threads, ECS tasks as child processes, EventBridge rules on object writes. Only this process and its children have the
 * credentials of this start, and the endpoint serves nobody else. Nothing of it outlives `stop`.
 *
 * @throws InvalidInputError `FOLDER_IN_USE`, and what reading the assembly throws
 */
export async function startEmbeddedAws(options: EmbeddedAwsOptions): Promise<EmbeddedAws> {
  const onEvent = options.onEvent ?? (() => {});
  const logsFolder = path.join(options.folder, "logs");
  const unlock = lockFolder(path.join(options.folder, "aws"));
  /** undone in reverse order, also when starting fails half-way */
  const undo: (() => unknown)[] = [unlock];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    mkdirSync(logsFolder, { recursive: true });
    const { fauxqs, connect } = await startStores(objectsFolder(options.folder));
    undo.push(() => fauxqs.stop());
    const tokens = taskTokens();
    let machines: StateMachines;
    const credentials = makeLocalCredentials();
    const states = statesApi(tokens, () => machines);
    const front = await startFront({ connect, states, accessKeyId: credentials.accessKeyId });
    undo.push(front.stop);

    const queueUrl = (name: string) => `${front.url}/${ACCOUNT}/${name}`;
    const { resources, outputs } = readAssembly(options.assembly, queueUrl);
    createStores(fauxqs, resources);
    const environmentOf = localEnvironment(front.url, credentials);
    const functions = lambdaFunctions({
      resources,
      environmentOf,
      logsFolder,
      concurrency: options.lambdaConcurrency ?? Math.min(4, os.availableParallelism()),
      onEvent,
    });
    undo.push(functions.stop);
    const tasks = ecsTasks({
      resources,
      environmentOf,
      workerEntry: options.workerEntry ?? fileURLToPath(TASK_WORKER),
      logsFolder,
      concurrentTasks: options.concurrentTasks,
      onEvent,
    });
    undo.push(tasks.stop);
    /** all said, so that nothing is taken from the user's own settings for the cloud */
    const here = {
      endpoint: front.url,
      region: REGION,
      credentials,
      useDualstackEndpoint: false,
      useFipsEndpoint: false,
    };
    const queues = new SQSClient({ ...here, useQueueUrlAsEndpoint: false });
    undo.push(() => queues.destroy());
    const startTask = taskStarter({ functions, tasks, queues, machines: () => machines });
    machines = await stateMachines({ resources, tokens, startTask, onEvent });
    undo.push(() => machines.stop());
    const triggers = startQueueTriggers({
      resources,
      queueUrl,
      queues,
      functions,
      concurrency: options.lambdaConcurrency ?? Math.min(4, os.availableParallelism()),
      onEvent,
    });
    undo.push(triggers.stop);

    const listeners: ((execution: RunningExecution, event: ObjectCreated) => void)[] = [];
    const targetsOf = rulesOf(resources);
    followObjectWrites(fauxqs, resources, (event) => {
      for (const { arn, input } of targetsOf(event)) {
        try {
          const execution = machines.start(arn, input(event));
          for (const listener of listeners) listener(execution, event);
        } catch (error) {
          onEvent({ kind: "log", source: "events", line: `${arn}: ${toError(error).message}`, level: "error" });
        }
      }
    });
    return {
      endpoint: front.url,
      environment: environmentOf({}),
      ...bucketsOf(resources),
      outputs,
      resources,
      executions: machines,
      async upload(key, bytes, bucket = bucketsOf(resources).control) {
        const { S3ObjectStore, s3Client } = await import("@fedmkt/shared/adapters/aws/s3-object-store.ts");
        const client = s3Client({ ...here, forcePathStyle: true });
        await new S3ObjectStore(client).put(bucket, key, bytes);
        client.destroy();
      },
      onStarted: (listener) => listeners.push(listener),
      workerProcesses: tasks.running,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function createStores(stores: FauxqsServer, resources: readonly LocalResource[]): void {
  for (const { type, name } of resources) if (type === "AWS::S3::Bucket") stores.createBucket(name);
  for (const { type, name, properties } of resources) {
    if (type === "AWS::SQS::Queue") stores.createQueue(name, { attributes: queueAttributes(properties) });
  }
}

const QUEUE_ATTRIBUTES = [
  "VisibilityTimeout",
  "DelaySeconds",
  "MaximumMessageSize",
  "MessageRetentionPeriod",
  "ReceiveMessageWaitTimeSeconds",
  "RedrivePolicy",
  "FifoQueue",
  "ContentBasedDeduplication",
];

function queueAttributes(properties: Record<string, unknown>): Record<string, string> {
  const set = QUEUE_ATTRIBUTES.filter((name) => properties[name] !== undefined);
  const text = (value: unknown) => (typeof value === "object" ? JSON.stringify(value) : String(value));
  return Object.fromEntries(set.map((name) => [name, text(properties[name])]));
}

/** The two buckets by what the functions are told of them. */
function bucketsOf(resources: readonly LocalResource[]): { control: string; artefacts: string } {
  const variables = resources
    .filter(({ type }) => type === "AWS::Lambda::Function")
    .map(({ properties }) => (properties.Environment as { Variables?: Record<string, string> } | undefined)?.Variables)
    .find((found) => found?.FEDMKT_CONTROL_BUCKET !== undefined);
  if (!variables?.FEDMKT_CONTROL_BUCKET || !variables.FEDMKT_ARTEFACT_BUCKET) {
    throw new InvariantError(
      "BUCKETS_UNKNOWN",
      "no function of the assembly has FEDMKT_CONTROL_BUCKET and FEDMKT_ARTEFACT_BUCKET",
    );
  }
  return { control: variables.FEDMKT_CONTROL_BUCKET, artefacts: variables.FEDMKT_ARTEFACT_BUCKET };
}
