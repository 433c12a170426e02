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
import { type Client, clientCopies, edgeSites } from "./clients.ts";
import { ecsApi } from "./ecs-api.ts";
import { type EcsTasks, ecsTasks } from "./ecs-tasks.ts";
import { edgeWorkers } from "./edge-workers.ts";
import { type EventBus, eventBus } from "./event-bus.ts";
import { executionStatusChange } from "./execution-events.ts";
import type { Execution } from "./executions.ts";
import { startFront } from "./front.ts";
import { lambdaFunctions } from "./lambda-functions.ts";
import { localEnvironment, makeLocalCredentials } from "./local-environment.ts";
import type { OnLocalEvent } from "./local-event.ts";
import { followObjectWrites } from "./object-events.ts";
import { places } from "./places.ts";
import { startQueueTriggers } from "./queue-triggers.ts";
import { taskStarter } from "./start-task.ts";
import { type StateMachines, stateMachines } from "./state-machines.ts";
import { statesApi } from "./states-api.ts";
import { objectsFolder } from "./stored-objects.ts";
import { startStores } from "./stores.ts";
import { taskTokens } from "./task-tokens.ts";

const QUEUE_WORKER = programUrl("queue-worker", "../../../gpu-workers/src/queue-entry.ts", import.meta.url);
const TASK_WORKER = programUrl("task-worker", "../../../gpu-workers/src/entry.ts", import.meta.url);

export interface EmbeddedAwsOptions {
  /** a cloud assembly (cdk.out) */
  assembly: string;
  /** objects go to `<folder>/aws`, logs to `<folder>/logs` */
  folder: string;
  /** each gets a stack of its own, of the assembly's template */
  clients?: readonly Client[];
  /** jobs that run at once, as ECS tasks or at clients' own workers; further ones wait */
  concurrentTasks: number;
  onEvent?: OnLocalEvent;
  /** what an ECS task runs; the repository's worker unless given */
  workerEntry?: string;
  /** what a client's own worker runs; the repository's queue worker unless given */
  queueWorkerEntry?: string;
  /** execution environments a function has at most */
  lambdaConcurrency?: number;
}

export interface EmbeddedAws {
  /** of S3, SQS, Step Functions and ECS */
  endpoint: string;
  /** variables that let AWS SDKs, in this process or another, find everything */
  environment: Record<string, string>;
  control: string;
  artefacts: string;
  registry: string;
  outputs: Assembly["outputs"];
  resources: readonly LocalResource[];
  executions: StateMachines;
  /** Writes an object as any client would; rules that match its event have started their machines once this resolves. */
  upload(key: string, bytes: Uint8Array, bucket?: string): Promise<void>;
  /** Told of every execution that a rule starts. */
  onStarted: EventBus["onStarted"];
  /** Resolves when the functions have answered that rules invoked, at the end of an execution for instance. */
  settled(): Promise<void>;
  /** process ids of ECS tasks and clients' own workers */
  workerProcesses(): number[];
  stop(): Promise<void>;
}

/**
 * Brings a cloud assembly to life in this process, on loopback: S3 and SQS (fauxqs behind the front), Step Functions, Lambda in
 * worker threads, ECS tasks and the queue workers of clients as child processes, EventBridge rules on object writes and on
 * executions' ends. The client's template is brought to life once for each client. Only this process and its children have the
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
    let tasks: EcsTasks;
    const credentials = makeLocalCredentials();
    const services = {
      AWSStepFunctions: statesApi(tokens, () => machines),
      AmazonEC2ContainerServiceV20141113: ecsApi(() => tasks),
    };
    const front = await startFront({ connect, services, accessKeyId: credentials.accessKeyId });
    undo.push(front.stop);

    const queueUrl = (name: string) => `${front.url}/${ACCOUNT}/${name}`;
    const clients = options.clients ?? [];
    const { resources, outputs } = readAssembly(options.assembly, queueUrl, {
      parameters: LOCAL_PARAMETERS,
      copies: clientCopies(clients),
    });
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
    const room = places(options.concurrentTasks);
    const workers = { environmentOf, logsFolder, room, onEvent };
    tasks = ecsTasks({ ...workers, resources, workerEntry: options.workerEntry ?? fileURLToPath(TASK_WORKER) });
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
    const edge = edgeWorkers({
      ...workers,
      sites: edgeSites(clients, resources, queueUrl),
      workerEntry: options.queueWorkerEntry ?? fileURLToPath(QUEUE_WORKER),
      queues,
      stores: fauxqs,
    });
    undo.push(edge.stop);
    const bus = eventBus({ resources, machines: () => machines, functions, onEvent });
    const startTask = taskStarter({ functions, tasks, edge, queues, machines: () => machines });
    const onStatusChange = (execution: Execution) => bus.publish(executionStatusChange(execution));
    machines = await stateMachines({ resources, tokens, startTask, onStatusChange, onEvent });
    undo.push(() => machines.stop());
    undo.push(bus.stop);
    const triggers = startQueueTriggers({
      resources,
      queueUrl,
      queues,
      functions,
      concurrency: options.lambdaConcurrency ?? Math.min(4, os.availableParallelism()),
      onEvent,
    });
    undo.push(triggers.stop);

    followObjectWrites(fauxqs, resources, bus.publish);
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
      onStarted: bus.onStarted,
      settled: bus.settled,
      workerProcesses: () => [
        ...tasks
          .running()
          .map(({ process }) => process.pid)
          .filter((pid) => pid !== undefined),
        ...edge.running(),
      ],
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What the templates are told of this machine: there is nothing that scales, and private data lie on its disk. */
const LOCAL_PARAMETERS = { UseCloudCapacity: "false", HostPrivateData: "no" };

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

/** The buckets by what the functions are told of them. */
function bucketsOf(resources: readonly LocalResource[]): { control: string; artefacts: string; registry: string } {
  const variables = resources
    .filter(({ type }) => type === "AWS::Lambda::Function")
    .map(({ properties }) => (properties.Environment as { Variables?: Record<string, string> } | undefined)?.Variables)
    .find((found) => found?.FEDMKT_CONTROL_BUCKET !== undefined);
  const {
    FEDMKT_CONTROL_BUCKET: control,
    FEDMKT_ARTEFACT_BUCKET: artefacts,
    FEDMKT_REGISTRY_BUCKET: registry,
  } = variables ?? {};
  if (!control || !artefacts || !registry) {
    throw new InvariantError(
      "BUCKETS_UNKNOWN",
      "no function of the assembly has FEDMKT_CONTROL_BUCKET, FEDMKT_ARTEFACT_BUCKET and FEDMKT_REGISTRY_BUCKET",
    );
  }
  return { control, artefacts, registry };
}
