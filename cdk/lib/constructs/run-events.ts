import type { clusterEnvironment } from "@fedmkt/shared/contracts/environment.ts";
import { Duration } from "aws-cdk-lib";
import { Match, Rule } from "aws-cdk-lib/aws-events";
import { LambdaFunction, SfnStateMachine } from "aws-cdk-lib/aws-events-targets";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { Code } from "aws-cdk-lib/aws-lambda";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import { Queue } from "aws-cdk-lib/aws-sqs";
import type { StateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
import { acknowledge, explainWildcards } from "./explain-finding.ts";
import { HouseFunction } from "./house-function.ts";
import { houseQueue } from "./house-queue.ts";
import type { WorkerCluster } from "./worker-cluster.ts";

/** The keys whose upload starts a run. EventBridge's `*` spans slashes too: the machine refuses what is not runs/<run>/run.yaml. */
const RUN_KEY_PATTERN = "runs/*/run.yaml";

/** How an execution can end. */
const NOT_SUCCEEDED = ["FAILED", "TIMED_OUT", "ABORTED"];

export interface RunEventsProps {
  code: Code;
  settings: DeploymentSettings;
  control: IBucket;
  encryptionKey: IKey;
  run: StateMachine;
  failRun: HouseFunction;
  workers: WorkerCluster;
}

/** The events that start a run and that clear up after it. What cannot be delivered within hours is kept as a dead letter. */
export class RunEvents extends Construct {
  readonly deadLetters: Queue;
  readonly stopTasks: HouseFunction;

  constructor(scope: Construct, id: string, props: RunEventsProps) {
    super(scope, id);
    const { run, failRun } = props;
    this.stopTasks = this.#stopTasks(props);
    this.deadLetters = new Queue(this, "DeadLetters", houseQueue(props.encryptionKey));
    acknowledge(this.deadLetters, { "AwsSolutions-SQS3": "It is the dead-letter queue of the rules below." });
    const delivery = { deadLetterQueue: this.deadLetters, retryAttempts: 24, maxEventAge: Duration.hours(6) };
    new Rule(this, "RunUploaded", {
      description: "starts a run when its run.yaml is uploaded",
      eventPattern: {
        source: ["aws.s3"],
        detailType: ["Object Created"],
        detail: { bucket: { name: [props.control.bucketName] }, object: { key: Match.wildcard(RUN_KEY_PATTERN) } },
      },
      targets: [new SfnStateMachine(run, delivery)],
    });
    const ended = (status: string[]) => ({
      source: ["aws.states"],
      detailType: ["Step Functions Execution Status Change"],
      detail: { status, stateMachineArn: [run.stateMachineArn] },
    });
    new Rule(this, "RunEnded", {
      description: "stops the tasks that a run has left, however it ended",
      eventPattern: ended(["SUCCEEDED", ...NOT_SUCCEEDED]),
      targets: [new LambdaFunction(this.stopTasks, delivery)],
    });
    // a rule of its own: no Catch sees a time-out of the execution, a stop by hand or States.Runtime
    new Rule(this, "RunNotSucceeded", {
      description: "writes down how a run ended that did not succeed",
      eventPattern: ended(NOT_SUCCEEDED),
      targets: [new LambdaFunction(failRun, delivery)],
    });
  }

  #stopTasks({ code, settings, workers }: RunEventsProps): HouseFunction {
    const { cluster } = workers;
    const stopTasks = new HouseFunction(this, "StopTasks", {
      name: "stop-tasks",
      code,
      settings,
      environment: { FEDMKT_CLUSTER: cluster.clusterName } satisfies Record<
        keyof (typeof clusterEnvironment)["shape"],
        string
      >,
    });
    // no resource can be named for ListTasks but through this condition
    stopTasks.addToRolePolicy(
      new PolicyStatement({
        actions: ["ecs:ListTasks"],
        resources: ["*"],
        conditions: { ArnEquals: { "ecs:cluster": cluster.clusterArn } },
      }),
    );
    stopTasks.addToRolePolicy(new PolicyStatement({ actions: ["ecs:StopTask"], resources: [workers.taskArns] }));
    explainWildcards(stopTasks.role!, [
      { matching: workers.taskArns, reason: "A task is named when it starts; these are of the workers' cluster." },
      {
        matching: /^Resource::\*$/,
        reason:
          "Traces: X-Ray's actions know no resource. ecs:ListTasks is held to the workers' cluster by a condition.",
      },
    ]);
    return stopTasks;
  }
}
