import { tmpdir } from "node:os";
import path from "node:path";
import type { z } from "zod";
import type { AwsCredentials } from "../adapters/aws/credentials.ts";
import { EcsWorkerTasks, ecsClient } from "../adapters/aws/ecs-worker-tasks.ts";
import { S3Material, s3MaterialClient } from "../adapters/aws/s3-material.ts";
import { S3ObjectStore, s3Client } from "../adapters/aws/s3-object-store.ts";
import { SqsMessageQueue, sqsClient } from "../adapters/aws/sqs-message-queue.ts";
import { StepFunctionsCallback, stepFunctionsClient } from "../adapters/aws/step-functions-callback.ts";
import { StepFunctionsExecutions } from "../adapters/aws/step-functions-executions.ts";
import { EitherMaterial } from "../adapters/material/either-material.ts";
import { FileMaterial } from "../adapters/material/file-material.ts";
import { LocatedMaterial } from "../adapters/material/located-material.ts";
import { openTemplate } from "../adapters/templates/open-template.ts";
import { openTokenizer } from "../adapters/tokenizers/open-tokenizer.ts";
import { clusterEnvironment, type Environment, environment } from "../contracts/environment.ts";
import { InvalidInputError } from "../core/errors.ts";
import type { MessageQueue } from "../ports/message-queue.ts";
import type { TaskCallback } from "../ports/task-callback.ts";
import type { WorkerTasks } from "../ports/worker-tasks.ts";
import type { PlanDependencies, PublishDependencies, StageDependencies } from "../use-cases/dependencies.ts";
import { houseLogger } from "./house-logger.ts";
import { logProgress } from "./progress-log.ts";
import { issues } from "./stage-failure.ts";

/** Whose credentials are used: those of the party that the process works for; the process's own unless given. */
interface ActsAs {
  credentials?: AwsCredentials;
}

/**
 * Everything a stage is given, from the process's environment. Where the process works for a party with the party's credentials, what
 * these may not read and the process itself may, such as a site's own bucket, is read with its own.
 * @throws InvalidInputError `ENVIRONMENT_INVALID` naming the variables
 */
export function stageDependencies(variables: NodeJS.ProcessEnv, { credentials }: ActsAs = {}): StageDependencies {
  const settings = checked(environment, variables);
  const client = s3Client(credentials === undefined ? {} : { credentials });
  const models = path.join(tmpdir(), "fedmkt-models");
  const materialFor = (config: ActsAs) => new S3Material(s3MaterialClient(config), models);
  return {
    objects: new S3ObjectStore(client),
    buckets: {
      control: settings.FEDMKT_CONTROL_BUCKET,
      artefacts: settings.FEDMKT_ARTEFACT_BUCKET,
      registry: settings.FEDMKT_REGISTRY_BUCKET,
    },
    material: new LocatedMaterial(
      credentials === undefined
        ? new S3Material(client, models)
        : new EitherMaterial(materialFor({ credentials }), materialFor({})),
      filesOf(settings),
    ),
    openTokenizer,
    openTemplate,
    progress: logProgress(houseLogger("progress")),
  };
}

/** Where a data folder is named, nothing else of the machine is read. */
function filesOf({ FEDMKT_DATA_FOLDER, FEDMKT_LOCAL_FILES }: Environment): FileMaterial | null {
  if (FEDMKT_DATA_FOLDER !== undefined) return new FileMaterial(path.resolve(FEDMKT_DATA_FOLDER));
  return FEDMKT_LOCAL_FILES === "true" ? new FileMaterial() : null;
}

/** What plan-run is given. */
export function planDependencies(variables: NodeJS.ProcessEnv): PlanDependencies {
  return {
    ...stageDependencies(variables),
    executions: new StepFunctionsExecutions(stepFunctionsClient()),
    readsLocalFiles: checked(environment, variables).FEDMKT_LOCAL_FILES === "true",
  };
}

/** What publish-run is given. */
export function publishDependencies(variables: NodeJS.ProcessEnv): PublishDependencies {
  return { ...stageDependencies(variables), nowMs: () => Date.now() };
}

/** The machine's side of task tokens, for whoever answers them. */
export function taskCallback({ credentials }: ActsAs = {}): TaskCallback {
  return new StepFunctionsCallback(stepFunctionsClient(credentials === undefined ? {} : { credentials }));
}

/** The queues that messages come from. */
export function messageQueue(): MessageQueue {
  return new SqsMessageQueue(sqsClient());
}

/** The tasks of the cluster that the workers run in. */
export function workerTasks(variables: NodeJS.ProcessEnv): WorkerTasks {
  return new EcsWorkerTasks(ecsClient(), checked(clusterEnvironment, variables).FEDMKT_CLUSTER);
}

function checked<T>(schema: z.ZodType<T>, variables: NodeJS.ProcessEnv): T {
  const result = schema.safeParse(variables);
  if (result.success) return result.data;
  throw new InvalidInputError("ENVIRONMENT_INVALID", `environment: ${issues(result.error)}`);
}
