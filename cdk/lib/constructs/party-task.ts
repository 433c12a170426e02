import type { WorkerEnvironment } from "@fedmkt/shared/contracts/environment.ts";
import { Aws } from "aws-cdk-lib";
import { CfnTaskDefinition } from "aws-cdk-lib/aws-ecs";
import { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
import type { CloudCapacity } from "./cloud-capacity.ts";
import { acknowledge } from "./explain-finding.ts";
import type { PartyPlaces } from "./party-places.ts";
import { FARGATE_TASK, GPU_TASK, OPEN_VARIABLES, WORKER_HEARTBEAT, workerContainer } from "./worker-container.ts";

export interface PartyTaskProps {
  settings: DeploymentSettings;
  party: string;
  places: PartyPlaces;
  taskRoleArn: string;
  executionRoleArn: string;
  image: string;
  capacity: CloudCapacity;
}

/** One party's task definition, whose family the machines find by the party's id: the one container image, in the party's role. */
export class PartyTask extends Construct {
  constructor(scope: Construct, id: string, props: PartyTaskProps) {
    super(scope, id);
    const { settings, places, capacity } = props;
    const gpu = settings.workers === "gpu";
    const text = (onGpu: string, onFargate: string) => (gpu ? capacity.either(onGpu, onFargate).toString() : onFargate);
    const environment = {
      FEDMKT_CONTROL_BUCKET: places.bucketName("control"),
      FEDMKT_ARTEFACT_BUCKET: places.bucketName("artefacts"),
      FEDMKT_REGISTRY_BUCKET: places.bucketName("registry"),
      FEDMKT_LOCAL_FILES: "false",
      FEDMKT_HEARTBEAT_SECONDS: String(WORKER_HEARTBEAT.toSeconds()),
      FEDMKT_DEVICE: text("cuda", "cpu"),
      FEDMKT_INSTANCE_TYPE: text(settings.gpu.instanceTypes[0], FARGATE_TASK.name),
    } satisfies Partial<Record<keyof WorkerEnvironment, string>>;
    const disk = FARGATE_TASK.diskGibibytes;
    const definition = new CfnTaskDefinition(this, "Definition", {
      family: settings.names.party(props.party),
      requiresCompatibilities: [text("EC2", "FARGATE")],
      networkMode: "awsvpc",
      cpu: text(GPU_TASK.cpu, FARGATE_TASK.cpu),
      memory: text(GPU_TASK.memory, FARGATE_TASK.memory),
      // a GPU machine's disk is its launch template's
      ephemeralStorage: gpu ? capacity.either(Aws.NO_VALUE, { SizeInGiB: disk }) : { sizeInGiB: disk },
      taskRoleArn: props.taskRoleArn,
      executionRoleArn: props.executionRoleArn,
      ...workerContainer({
        image: props.image,
        environment: Object.entries(environment).map(([name, value]) => ({ name, value })),
        resourceRequirements: gpu ? capacity.either([{ Type: "GPU", Value: "1" }], Aws.NO_VALUE) : undefined,
        logGroupName: settings.names.workerLogGroup,
        party: props.party,
      }),
    });
    acknowledge(definition, OPEN_VARIABLES);
  }
}
