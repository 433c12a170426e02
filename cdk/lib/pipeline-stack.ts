import type { Environment } from "@fedmkt/shared/contracts/environment.ts";
import { CfnOutput, Stack, type StackProps } from "aws-cdk-lib";
import { StringParameter } from "aws-cdk-lib/aws-ssm";
import type { StateMachine } from "aws-cdk-lib/aws-stepfunctions";
import type { Construct } from "constructs";
import { AlignShards } from "./constructs/align-shards.ts";
import { CloudCapacity } from "./constructs/cloud-capacity.ts";
import { functionBundle } from "./constructs/function-bundle.ts";
import { Operations } from "./constructs/operations.ts";
import { PartyPlaces } from "./constructs/party-places.ts";
import { PartyRole } from "./constructs/party-role.ts";
import { PartyTask } from "./constructs/party-task.ts";
import { RoundMachine } from "./constructs/round-machine.ts";
import { RunEvents } from "./constructs/run-events.ts";
import { RunMachine } from "./constructs/run-machine.ts";
import { exportedNames } from "./constructs/stack-exports.ts";
import { StageFunctions } from "./constructs/stage-functions.ts";
import { StageStates } from "./constructs/stage-states.ts";
import { WorkerCluster } from "./constructs/worker-cluster.ts";
import { workerImage } from "./constructs/worker-image.ts";
import type { DeploymentSettings } from "./deployment-settings.ts";
import type { StateStack } from "./state-stack.ts";

export interface PipelineStackProps extends StackProps {
  settings: DeploymentSettings;
  state: StateStack;
  /** its name in a registry, or `build` */
  workerImage?: string;
}

/** What runs: functions, workers, the two machines, and the rules that start a run and clear up after it. */
export class PipelineStack extends Stack {
  readonly capacity: CloudCapacity;
  readonly functions: StageFunctions;
  readonly workers: WorkerCluster;
  readonly run: StateMachine;
  readonly round: StateMachine;
  readonly events: RunEvents;

  constructor(scope: Construct, id: string, props: PipelineStackProps) {
    super(scope, id, props);
    const { settings, state } = props;
    const { shards } = state;
    this.capacity = new CloudCapacity(this);
    const environment: Environment = {
      FEDMKT_CONTROL_BUCKET: state.control.bucketName,
      FEDMKT_ARTEFACT_BUCKET: state.artefacts.bucketName,
      FEDMKT_REGISTRY_BUCKET: state.registry.bucketName,
      FEDMKT_LOCAL_FILES: "false",
    };
    const code = functionBundle();
    this.functions = new StageFunctions(this, "Stages", { code, environment, settings, state });
    this.workers = new WorkerCluster(this, "Workers", { settings, capacity: this.capacity });
    const image = workerImage(this, this.workers.executionRole, props.workerImage);
    new StringParameter(this, "WorkerImageNow", {
      parameterName: settings.names.workerImageParameter,
      stringValue: image,
      description: "the image that workers run: clients' stacks read it when they are deployed",
    });
    this.serverWorkers(settings, state, image);
    const stages = new StageStates(this, "States", {
      functions: this.functions,
      cluster: this.workers,
      shards,
      settings,
    });
    this.round = new RoundMachine(this, "Round", { stages, settings }).machine;
    this.run = new RunMachine(this, "Run", { stages, round: this.round, settings }).machine;
    const alignShards = new AlignShards(this, "AlignShards", {
      alignShard: this.functions.of("align-shard"),
      shards,
      code,
      environment,
      settings,
    });
    this.events = new RunEvents(this, "Events", {
      code,
      settings,
      control: state.control,
      encryptionKey: state.controlKey,
      run: this.run,
      failRun: this.functions.of("fail-run"),
      workers: this.workers,
    });

    new Operations(this, "Operations", {
      settings,
      capacity: this.capacity,
      run: this.run,
      round: this.round,
      shards,
      events: this.events,
      functions: {
        ...this.functions.all,
        "fail-task": alignShards.failTask,
        "stop-tasks": this.events.stopTasks,
      },
      clusterName: this.workers.cluster.clusterName,
      gpus: this.workers.gpus,
    });

    const exported = exportedNames(settings.names);
    new CfnOutput(this, "RunMachine", { value: this.run.stateMachineArn });
    new CfnOutput(this, "Cluster", { value: this.workers.cluster.clusterName });
    new CfnOutput(this, "WorkerImage", { value: image });
    new CfnOutput(this, "FailTaskArn", { value: alignShards.failTask.functionArn, exportName: exported.failTaskArn });
    new CfnOutput(this, "ExecutionRoleArn", {
      value: this.workers.executionRole.roleArn,
      exportName: exported.executionRoleArn,
    });
  }

  /** The server is a party too: the same task in a role of its own. */
  private serverWorkers(settings: DeploymentSettings, state: StateStack, image: string): void {
    const places = new PartyPlaces(this, settings.names, {
      controlKeyArn: state.controlKey.keyArn,
      artefactKeyArn: state.artefactKey.keyArn,
    });
    const role = new PartyRole(this, "ServerRole", { settings, party: "server", kind: "server", places });
    new PartyTask(this, "ServerTask", {
      settings,
      party: "server",
      places,
      taskRoleArn: role.roleArn,
      executionRoleArn: this.workers.executionRole.roleArn,
      image,
      capacity: this.capacity,
    });
  }
}
