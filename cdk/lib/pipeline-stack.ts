import type { Environment } from "@fedmkt/shared/contracts/environment.ts";
import { CfnOutput, Duration, Stack, type StackProps } from "aws-cdk-lib";
import { Match, Rule } from "aws-cdk-lib/aws-events";
import { LambdaFunction, SfnStateMachine } from "aws-cdk-lib/aws-events-targets";
import { type IRole, Policy, PolicyStatement } from "aws-cdk-lib/aws-iam";
import { SqsEventSource } from "aws-cdk-lib/aws-lambda-event-sources";
import type { StateMachine } from "aws-cdk-lib/aws-stepfunctions";
import type { Construct } from "constructs";
import { functionBundle } from "./constructs/function-bundle.ts";
import { HouseFunction } from "./constructs/house-function.ts";
import { RoundMachine } from "./constructs/round-machine.ts";
import { RunMachine } from "./constructs/run-machine.ts";
import { StageFunctions } from "./constructs/stage-functions.ts";
import { StageStates } from "./constructs/stage-states.ts";
import { WorkerTask } from "./constructs/worker-task.ts";
import type { StateStack } from "./state-stack.ts";

export interface PipelineStackProps extends StackProps {
  state: StateStack;
}

/** The keys whose upload starts a run. EventBridge's `*` spans slashes too: the machine refuses what is not runs/<run>/run.yaml. */
const RUN_KEY_PATTERN = "runs/*/run.yaml";

/** A shard takes seconds; two share an invocation, so that one start-up serves both. */
const SHARDS_AT_A_TIME = 2;

/**
 * Batches at work at the same time: a hundred shards in seconds, and far below the thousand invocations that an account's
 * functions share, so that a large run does not starve the others' functions.
 */
const SHARD_BATCHES_AT_A_TIME = 50;

const WORKER_HEARTBEAT = Duration.minutes(10);
const WORKER_TIMEOUT = Duration.days(2);

/** What runs: functions, workers, the two machines, and the rule that starts a run. */
export class PipelineStack extends Stack {
  readonly run: StateMachine;
  readonly round: StateMachine;

  constructor(scope: Construct, id: string, props: PipelineStackProps) {
    super(scope, id, props);
    const { control, artefacts, shards } = props.state;
    const environment: Environment = {
      FEDMKT_CONTROL_BUCKET: control.bucketName,
      FEDMKT_ARTEFACT_BUCKET: artefacts.bucketName,
      FEDMKT_LOCAL_FILES: "false",
    };
    const code = functionBundle();
    const functions = new StageFunctions(this, "Stages", { code, environment, control, artefacts });
    const failShard = new HouseFunction(this, "FailShard", { name: "fail-shard", code, environment });
    const worker = new WorkerTask(this, "Workers", {
      image: this.node.tryGetContext("workerImage") ?? "fedmkt/gpu-workers:0.1.0",
      environment: { ...environment, FEDMKT_HEARTBEAT_SECONDS: String(WORKER_HEARTBEAT.toSeconds()) },
      control,
      artefacts,
    });
    const stages = new StageStates(this, "States", {
      functions,
      worker,
      shards,
      workerHeartbeat: WORKER_HEARTBEAT,
      workerTimeout: WORKER_TIMEOUT,
    });
    this.round = new RoundMachine(this, "Round", stages).machine;
    this.run = new RunMachine(this, "Run", { stages, round: this.round }).machine;

    const alignShard = functions.of("align-shard");
    alignShard.addEventSource(
      new SqsEventSource(shards.queue, {
        batchSize: SHARDS_AT_A_TIME,
        maxConcurrency: SHARD_BATCHES_AT_A_TIME,
        reportBatchItemFailures: true,
      }),
    );
    failShard.addEventSource(new SqsEventSource(shards.deadLetters, { batchSize: 10, reportBatchItemFailures: true }));
    this.answersTokens("ShardCallback", [alignShard.role!, failShard.role!], [this.round]);
    this.answersTokens("WorkerCallback", [worker.definition.taskRole], [this.round, this.run]);

    new Rule(this, "RunUploaded", {
      eventPattern: {
        source: ["aws.s3"],
        detailType: ["Object Created"],
        detail: { bucket: { name: [control.bucketName] }, object: { key: Match.wildcard(RUN_KEY_PATTERN) } },
      },
      targets: [new SfnStateMachine(this.run)],
    });
    // a rule of its own: no Catch sees a time-out of the execution, a stop by hand or States.Runtime
    new Rule(this, "RunEnded", {
      eventPattern: {
        source: ["aws.states"],
        detailType: ["Step Functions Execution Status Change"],
        detail: { status: ["FAILED", "TIMED_OUT", "ABORTED"], stateMachineArn: [this.run.stateMachineArn] },
      },
      targets: [new LambdaFunction(functions.of("fail-run"))],
    });
    new CfnOutput(this, "RunMachine", { value: this.run.stateMachineArn });
  }

  /**
   * Lets roles answer the tokens of these machines. A policy of its own, since the machines depend on the functions and a
   * function depends on its role's default policy: in there, it would be a circle.
   */
  private answersTokens(id: string, roles: IRole[], machines: StateMachine[]): void {
    new Policy(this, id, {
      roles,
      statements: [
        new PolicyStatement({
          actions: ["states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat"],
          resources: machines.map((machine) => machine.stateMachineArn),
        }),
      ],
    });
  }
}
