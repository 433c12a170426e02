import {
  type LambdaStageName,
  RETRYABLE_LAMBDA_ERRORS,
  RETRYABLE_SQS_ERRORS,
  type WorkerStageName,
} from "@fedmkt/shared/contracts/stages.ts";
import { ArnFormat, Duration, Stack } from "aws-cdk-lib";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Queue } from "aws-cdk-lib/aws-sqs";
import { type Chain, IntegrationPattern, JsonPath, TaskInput, Timeout } from "aws-cdk-lib/aws-stepfunctions";
import { LambdaInvoke, SqsSendMessage } from "aws-cdk-lib/aws-stepfunctions-tasks";
import { Construct } from "constructs";
import { retryService, retryTransient } from "./retry.ts";
import type { StageFunctions } from "./stage-functions.ts";
import { type WorkerHosts, workerStage } from "./worker-stage.ts";

export interface StageHosts extends WorkerHosts {
  functions: StageFunctions;
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
  readonly #hosts: StageHosts;

  constructor(scope: Construct, id: string, hosts: StageHosts) {
    super(scope, id);
    this.#hosts = hosts;
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
    const target = this.#hosts.functions.of(stage);
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

  /** A worker stage of whatever party the state's input names: {compute, party, execution, job}. */
  worker(scope: Construct, name: string, stage: WorkerStageName): Chain {
    return workerStage(scope, name, this.#hosts, { stage, at: "$", atSites: true });
  }

  /**
   * A worker stage of the server, which always runs in the cluster.
   * @param at - JSONPath of {party, execution, job}
   */
  serverWorker(scope: Construct, name: string, stage: WorkerStageName, at: string): Chain {
    return workerStage(scope, name, this.#hosts, { stage, at, atSites: false });
  }

  /** align-shard: one message a shard, answered by its token; the state's input is the message. */
  alignShard(scope: Construct, stateName: string): SqsSendMessage {
    const { shards } = this.#hosts;
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

  /**
   * What a machine with worker stages needs. Parties come and go while a machine stays, so it names them by the pattern that
   * all of their names share.
   */
  startsWorkers(): PolicyStatement[] {
    const { settings, cluster, shards } = this.#hosts;
    const stack = Stack.of(this);
    const anyParty = settings.names.party("*");
    return [
      new PolicyStatement({
        actions: ["ecs:RunTask"],
        resources: [stack.formatArn({ service: "ecs", resource: "task-definition", resourceName: anyParty })],
        conditions: { ArnEquals: { "ecs:cluster": cluster.cluster.clusterArn } },
      }),
      new PolicyStatement({
        actions: ["iam:PassRole"],
        resources: [
          stack.formatArn({ service: "iam", region: "", resource: "role", resourceName: anyParty }),
          cluster.executionRole.roleArn,
        ],
        conditions: { StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } },
      }),
      new PolicyStatement({
        actions: ["sqs:SendMessage"],
        resources: [stack.formatArn({ service: "sqs", resource: anyParty, arnFormat: ArnFormat.NO_RESOURCE_NAME })],
      }),
      // of both kinds of queues
      new PolicyStatement({
        actions: ["kms:Decrypt", "kms:GenerateDataKey"],
        resources: [shards.encryptionKey.keyArn],
      }),
    ];
  }
}
