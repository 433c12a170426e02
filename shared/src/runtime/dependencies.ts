import { tmpdir } from "node:os";
import path from "node:path";
import { S3Material } from "../adapters/aws/s3-material.ts";
import { S3ObjectStore, s3Client } from "../adapters/aws/s3-object-store.ts";
import { SqsMessageQueue, sqsClient } from "../adapters/aws/sqs-message-queue.ts";
import { StepFunctionsCallback, stepFunctionsClient } from "../adapters/aws/step-functions-callback.ts";
import { StepFunctionsExecutions } from "../adapters/aws/step-functions-executions.ts";
import { FileMaterial } from "../adapters/material/file-material.ts";
import { LocatedMaterial } from "../adapters/material/located-material.ts";
import { openTokenizer } from "../adapters/tokenizers/open-tokenizer.ts";
import { environment } from "../contracts/environment.ts";
import { InvalidInputError } from "../core/errors.ts";
import type { MessageQueue } from "../ports/message-queue.ts";
import type { TaskCallback } from "../ports/task-callback.ts";
import type { PlanDependencies, StageDependencies } from "../use-cases/dependencies.ts";
import { houseLogger } from "./house-logger.ts";
import { logProgress } from "./progress-log.ts";
import { issues } from "./stage-failure.ts";

/** Everything a stage is given, from the process's environment. @throws InvalidInputError `ENVIRONMENT_INVALID` naming the variables */
export function stageDependencies(variables: NodeJS.ProcessEnv): StageDependencies {
  const result = environment.safeParse(variables);
  if (!result.success) throw new InvalidInputError("ENVIRONMENT_INVALID", `environment: ${issues(result.error)}`);
  const { FEDMKT_CONTROL_BUCKET, FEDMKT_ARTEFACT_BUCKET, FEDMKT_REGISTRY_BUCKET, FEDMKT_LOCAL_FILES } = result.data;
  const client = s3Client();
  return {
    objects: new S3ObjectStore(client),
    buckets: {
      control: FEDMKT_CONTROL_BUCKET,
      artefacts: FEDMKT_ARTEFACT_BUCKET,
      registry: FEDMKT_REGISTRY_BUCKET,
    },
    material: new LocatedMaterial(
      new S3Material(client, path.join(tmpdir(), "fedmkt-models")),
      FEDMKT_LOCAL_FILES === "true" ? new FileMaterial() : null,
    ),
    openTokenizer,
    progress: logProgress(houseLogger("progress")),
  };
}

/** What plan-run is given. */
export function planDependencies(variables: NodeJS.ProcessEnv): PlanDependencies {
  return { ...stageDependencies(variables), executions: new StepFunctionsExecutions(stepFunctionsClient()) };
}

/** The machine's side of task tokens, for whoever answers them. */
export function taskCallback(): TaskCallback {
  return new StepFunctionsCallback(stepFunctionsClient());
}

/** The queues that messages come from. */
export function messageQueue(): MessageQueue {
  return new SqsMessageQueue(sqsClient());
}
