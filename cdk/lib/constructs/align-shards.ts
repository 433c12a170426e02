import type { Environment } from "@fedmkt/shared/contracts/environment.ts";
import { ArnFormat, Stack } from "aws-cdk-lib";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { Code } from "aws-cdk-lib/aws-lambda";
import { SqsEventSource } from "aws-cdk-lib/aws-lambda-event-sources";
import { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
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

/** Between the shard queue and align-shard, and between its dead letters and the function that fails their waiting tasks. */
export class AlignShards extends Construct {
  readonly failShard: HouseFunction;

  constructor(scope: Construct, id: string, props: AlignShardsProps) {
    super(scope, id);
    const { alignShard, shards, code, environment, settings } = props;
    this.failShard = new HouseFunction(this, "FailShard", { name: "fail-shard", code, environment, settings });
    alignShard.addEventSource(
      new SqsEventSource(shards.queue, {
        batchSize: SHARDS_AT_A_TIME,
        maxConcurrency: SHARD_BATCHES_AT_A_TIME,
        reportBatchItemFailures: true,
      }),
    );
    this.failShard.addEventSource(
      new SqsEventSource(shards.deadLetters, { batchSize: 10, reportBatchItemFailures: true }),
    );
    for (const answering of [alignShard, this.failShard])
      answering.addToRolePolicy(
        new PolicyStatement({
          actions: ["states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat"],
          // by its name: the machine depends on the function, and the function on its policy
          resources: [
            Stack.of(this).formatArn({
              service: "states",
              resource: "stateMachine",
              resourceName: settings.names.roundMachine,
              arnFormat: ArnFormat.COLON_RESOURCE_NAME,
            }),
          ],
        }),
      );
  }
}
