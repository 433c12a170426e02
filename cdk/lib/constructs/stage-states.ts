import {
  type LambdaStageName,
  RETRYABLE_ECS_ERRORS,
  RETRYABLE_LAMBDA_ERRORS,
  RETRYABLE_SQS_ERRORS,
  type WorkerStageName,
} from "@fedmkt/shared/contracts/stages.ts";
import { Duration } from "aws-cdk-lib";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Queue } from "aws-cdk-lib/aws-sqs";
import { IntegrationPattern, JsonPath, TaskInput, Timeout } from "aws-cdk-lib/aws-stepfunctions";
import {
  EcsFargateLaunchTarget,
  type EcsRunTask,
  LambdaInvoke,
  SqsSendMessage,
} from "aws-cdk-lib/aws-stepfunctions-tasks";
import { Construct } from "constructs";
import { retryService, retryTransient } from "./retry.ts";
import { RunWorkerTask } from "./run-worker-task.ts";
import type { ShardQueue } from "./shard-queue.ts";
import type { StageFunctions } from "./stage-functions.ts";
import type { WorkerTask } from "./worker-task.ts";

export interface StageHosts {
  functions: StageFunctions;
  worker: WorkerTask;
  shards: ShardQueue;
  /** longest silence of a worker, its start included: fetching an image and finding capacity take minutes */
  workerHeartbeat: Duration;
  /** longest that one job may take */
  workerTimeout: Duration;
}

/**
 * Workers that one state starts side by side. Each has 4 vCPU or a GPU of its own; an account grants a limited number of them,
 * and whatever is started beyond it only uses up its tries and its heartbeat's time on waiting for capacity.
 */
export const WORKERS_AT_A_TIME = 10;

/** A shard waits in the queue, then is translated: longer than one redelivery, so that the queue's own retry comes first. */
const SHARD_HEARTBEAT = Duration.minutes(15);
const SHARD_TIMEOUT = Duration.hours(1);

/** A function's own time-out fires first; this one is for an invocation that never answers. */
const LAMBDA_TIMEOUT_MARGIN = Duration.seconds(30);

/** The states that run stages, all with time-outs and retries, those that wait for a token with heartbeats. */
export class StageStates extends Construct {
  private readonly hosts: StageHosts;

  constructor(scope: Construct, id: string, hosts: StageHosts) {
    super(scope, id);
    this.hosts = hosts;
  }

  /**
   * A Lambda stage.
   * @param keep - what of the output is kept and where, by JSONPath below `$.Payload`; absent: nothing
   */
  lambda(
    scope: Construct,
    stateName: string,
    stage: LambdaStageName,
    payload: Record<string, unknown>,
    keep: { resultSelector?: Record<string, unknown>; resultPath?: string; outputPath?: string } = {
      resultPath: JsonPath.DISCARD,
    },
  ): LambdaInvoke {
    const target = this.hosts.functions.of(stage);
    const state = new LambdaInvoke(scope, stateName, {
      lambdaFunction: target,
      payload: TaskInput.fromObject(payload),
      retryOnServiceExceptions: false, // replaced by the house's own
      taskTimeout: Timeout.duration(target.timeout!.plus(LAMBDA_TIMEOUT_MARGIN)),
      ...keep,
    });
    retryTransient(state);
    retryService(state, RETRYABLE_LAMBDA_ERRORS);
    return state;
  }

  /**
   * A worker stage: the job travels as JSON in the container's environment, with the token of the waiting state.
   * @param job - JSONPath of the whole job, `stage` included
   */
  worker(scope: Construct, stateName: string, stage: WorkerStageName, job: string): EcsRunTask {
    const { worker } = this.hosts;
    const state = new RunWorkerTask(scope, stateName, {
      comment: stage,
      integrationPattern: IntegrationPattern.WAIT_FOR_TASK_TOKEN,
      cluster: worker.cluster,
      taskDefinition: worker.definition,
      launchTarget: new EcsFargateLaunchTarget(),
      assignPublicIp: true, // a network without NAT
      securityGroups: [worker.securityGroup],
      containerOverrides: [
        {
          containerDefinition: worker.container,
          environment: [
            { name: "FEDMKT_JOB", value: JsonPath.jsonToString(JsonPath.objectAt(job)) },
            { name: "FEDMKT_TASK_TOKEN", value: JsonPath.taskToken },
          ],
        },
      ],
      heartbeatTimeout: Timeout.duration(this.hosts.workerHeartbeat),
      taskTimeout: Timeout.duration(this.hosts.workerTimeout),
      resultPath: JsonPath.DISCARD,
    });
    retryTransient(state);
    retryService(state, RETRYABLE_ECS_ERRORS);
    return state;
  }

  /** align-shard: one message a shard, answered by its token; the state's input is the message. */
  alignShard(scope: Construct, stateName: string): SqsSendMessage {
    const { shards } = this.hosts;
    const state = new SqsSendMessage(scope, stateName, {
      comment: "align-shard",
      integrationPattern: IntegrationPattern.WAIT_FOR_TASK_TOKEN,
      // by its attributes, without the key: CDK would grant kms:GenerateDataKey*, a wildcard action
      queue: Queue.fromQueueAttributes(scope, `${stateName}Queue`, {
        queueArn: shards.queue.queueArn,
        queueUrl: shards.queue.queueUrl,
      }),
      messageBody: TaskInput.fromObject({
        taskToken: JsonPath.taskToken,
        run: JsonPath.stringAt("$.run"),
        round: JsonPath.numberAt("$.round"),
        source: JsonPath.stringAt("$.source"),
        target: JsonPath.stringAt("$.target"),
        shard: JsonPath.numberAt("$.shard"),
      }),
      heartbeatTimeout: Timeout.duration(SHARD_HEARTBEAT),
      taskTimeout: Timeout.duration(SHARD_TIMEOUT),
      resultPath: JsonPath.DISCARD,
    });
    retryTransient(state);
    retryService(state, RETRYABLE_SQS_ERRORS);
    return state;
  }

  /** What a machine that sends to the shard queue needs for the queue's key. */
  sendsShards(): PolicyStatement {
    return new PolicyStatement({
      actions: ["kms:Decrypt", "kms:GenerateDataKey"],
      resources: [this.hosts.shards.encryptionKey.keyArn],
    });
  }
}
