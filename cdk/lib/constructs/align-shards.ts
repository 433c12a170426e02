import type { Environment } from "@fedmkt/shared/contracts/environment.ts";
import { ArnFormat, Stack } from "aws-cdk-lib";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { Code } from "aws-cdk-lib/aws-lambda";
import { SqsEventSource } from "aws-cdk-lib/aws-lambda-event-sources";
import { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
import { explainWildcards } from "./explain-finding.ts";
import { HouseFunction } from "./house-function.ts";
import type { ShardQueue } from "./shard-queue.ts";

/** A shard takes seconds; two share an invocation, so that one start-up serves both. */
const SHARDS_AT_A_TIME = 2;

/**
 * Batches at work at the same time: a hundred shards in seconds, and far below the thousand invocations that an account's
 * functions share, so that a large run does not starve the others' functions.
 */
const SHARD_BATCHES_AT_A_TIME = 50;

export interface AlignShardsProps {
  alignShard: HouseFunction;
  shards: ShardQueue;
  code: Code;
  environment: Environment;
  settings: DeploymentSettings;
}

/**
 * Between the shard queue and align-shard, and between dead letters and the function that fails the tasks which wait for them:
 * the shard queue's here, those of the parties' job queues in each client's stack.
 */
export class AlignShards extends Construct {
  readonly failTask: HouseFunction;

  constructor(scope: Construct, id: string, props: AlignShardsProps) {
    super(scope, id);
    const { alignShard, shards, code, environment, settings } = props;
    this.failTask = new HouseFunction(this, "FailTask", { name: "fail-task", code, environment, settings });
    alignShard.addEventSource(
      new SqsEventSource(shards.queue, {
        batchSize: SHARDS_AT_A_TIME,
        maxConcurrency: SHARD_BATCHES_AT_A_TIME,
        reportBatchItemFailures: true,
      }),
    );
    this.failTask.addEventSource(
      new SqsEventSource(shards.deadLetters, { batchSize: 10, reportBatchItemFailures: true }),
    );
    const { names } = settings;
    this.#letAnswer(alignShard, [names.roundMachine]);
    this.#letAnswer(this.failTask, [names.roundMachine, names.runMachine]); // baselines are the run's own jobs
    this.#letTakeDeadJobs(names);
  }

  /** Machines by name: a machine depends on its function, and the function on its policy. */
  #letAnswer(answering: HouseFunction, machines: string[]): void {
    answering.addToRolePolicy(
      new PolicyStatement({
        actions: ["states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat"],
        resources: machines.map((resourceName) =>
          Stack.of(this).formatArn({
            service: "states",
            resource: "stateMachine",
            resourceName,
            arnFormat: ArnFormat.COLON_RESOURCE_NAME,
          }),
        ),
      }),
    );
  }

  #letTakeDeadJobs(names: DeploymentSettings["names"]): void {
    const queues = Stack.of(this).formatArn({ service: "sqs", resource: names.deadJobs("*") });
    this.failTask.addToRolePolicy(
      new PolicyStatement({
        actions: ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        resources: [queues],
      }),
    );
    explainWildcards(this.failTask.role!, [
      {
        matching: /:fedmkt-[a-z]+-dead-jobs-\*$/,
        reason:
          "Clients come and go with stacks of their own; these are the dead letters of their job queues, and nothing else.",
      },
    ]);
  }
}
