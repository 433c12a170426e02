import type { WorkerEnvironment } from "@fedmkt/shared/contracts/environment.ts";
import { Aws, Duration } from "aws-cdk-lib";
import { CfnTaskDefinition } from "aws-cdk-lib/aws-ecs";
import { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
import type { CloudCapacity } from "./cloud-capacity.ts";
import { acknowledge } from "./explain-finding.ts";
import type { PartyPlaces } from "./party-places.ts";

/** The container of every task definition: the machines put the job into its environment. */
export const WORKER_CONTAINER = "worker";

/** Longest silence of a task, its start included: a GPU machine that comes from nothing and fetches the image takes minutes. */
export const WORKER_HEARTBEAT = Duration.minutes(15);

const CPUS = 4;
const FARGATE_MEMORY_GIB = 16;
/** of a GPU machine's 16 GiB, what its system and the agent leave */
const GPU_MACHINE_MEMORY_GIB = 14;
/** Fargate's own disk; a GPU machine's is its launch template's */
const FARGATE_DISK_GIB = 50;

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
    const { settings, places } = props;
    const gpu = settings.workers === "gpu";
    const text = (onGpu: string, onFargate: string) =>
      gpu ? props.capacity.either(onGpu, onFargate).toString() : onFargate;
    const environment = {
      FEDMKT_CONTROL_BUCKET: places.bucketName("control"),
      FEDMKT_ARTEFACT_BUCKET: places.bucketName("artefacts"),
      FEDMKT_REGISTRY_BUCKET: places.bucketName("registry"),
      FEDMKT_LOCAL_FILES: "false",
      FEDMKT_HEARTBEAT_SECONDS: String(WORKER_HEARTBEAT.toSeconds()),
      FEDMKT_DEVICE: text("cuda", "cpu"),
      FEDMKT_INSTANCE_TYPE: text(settings.gpu.instanceTypes[0], `fargate-${CPUS}vcpu-${FARGATE_MEMORY_GIB}gb`),
    } satisfies Partial<Record<keyof WorkerEnvironment, string>>;
    const definition = new CfnTaskDefinition(this, "Definition", {
      family: settings.names.party(props.party),
      requiresCompatibilities: [text("EC2", "FARGATE")],
      networkMode: "awsvpc",
      cpu: String(CPUS * 1024),
      memory: text(String(GPU_MACHINE_MEMORY_GIB * 1024), String(FARGATE_MEMORY_GIB * 1024)),
      ephemeralStorage: gpu
        ? props.capacity.either(Aws.NO_VALUE, { SizeInGiB: FARGATE_DISK_GIB })
        : { sizeInGiB: FARGATE_DISK_GIB },
      taskRoleArn: props.taskRoleArn,
      executionRoleArn: props.executionRoleArn,
      containerDefinitions: [
        {
          name: WORKER_CONTAINER,
          image: props.image,
          essential: true,
          resourceRequirements: gpu ? props.capacity.either([{ Type: "GPU", Value: "1" }], Aws.NO_VALUE) : undefined,
          environment: Object.entries(environment).map(([name, value]) => ({ name, value })),
          // the longest that ECS grants for writing a checkpoint after SIGTERM
          stopTimeout: 120,
          readonlyRootFilesystem: false, // models are cached on the task's own disk
          logConfiguration: {
            logDriver: "awslogs",
            options: {
              "awslogs-group": settings.names.workerLogGroup,
              "awslogs-region": Aws.REGION,
              "awslogs-stream-prefix": props.party,
            },
          },
        },
      ],
    });
    acknowledge(definition, { "AwsSolutions-ECS2": "Names of buckets, intervals, the device: nothing secret." });
  }
}
