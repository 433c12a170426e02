import { Aws, Duration, type IResolvable } from "aws-cdk-lib";
import type { CfnTaskDefinition, CfnTaskDefinitionProps } from "aws-cdk-lib/aws-ecs";

/** The container of every task definition: the machines put the job into its environment. */
export const WORKER_CONTAINER = "worker";

/** Longest silence of a task, its start included: a GPU machine that comes from nothing and fetches the image takes minutes. */
export const WORKER_HEARTBEAT = Duration.minutes(15);

const CPUS = 4;
const FARGATE_MEMORY_GIB = 16;
/** What a job gets of Fargate; the price table knows it by the name. */
export const FARGATE_TASK = {
  cpu: String(CPUS * 1024),
  memory: String(FARGATE_MEMORY_GIB * 1024),
  diskGibibytes: 50,
  name: `fargate-${CPUS}vcpu-${FARGATE_MEMORY_GIB}gb`,
};
/** A GPU machine's CPUs, and of its 16 GiB what its system and the agent leave. */
export const GPU_TASK = { cpu: String(CPUS * 1024), memory: String(14 * 1024) };
/** A GPU machine's disk: the image has several GB, a model as many again. */
export const WORKER_DISK_GIGABYTES = 200;

/** All that a worker writes on its own disk lies here; the image says whose it is. */
const SCRATCH = { volume: "scratch", containerPath: "/tmp" };
/** The volume that goes with the image's container. */
export const SCRATCH_VOLUME: CfnTaskDefinition.VolumeProperty = { name: SCRATCH.volume };

export interface WorkerContainerProps {
  image: string;
  environment: (CfnTaskDefinition.KeyValuePairProperty | IResolvable)[];
  resourceRequirements: CfnTaskDefinition.ContainerDefinitionProperty["resourceRequirements"];
  logGroupName: string;
  /** whose work it is: its log's streams begin so */
  party: string;
}

/** Why a task may have its variables in its definition, where whoever may read that reads them. */
export const OPEN_VARIABLES = {
  "AwsSolutions-ECS2": "Names of buckets, queues and roles, intervals, the device: nothing secret.",
};

/** The one container image, as every task definition of a party runs it. */
export function workerContainer(
  props: WorkerContainerProps,
): Pick<CfnTaskDefinitionProps, "containerDefinitions" | "volumes"> {
  return { volumes: [SCRATCH_VOLUME], containerDefinitions: [imageContainer(WORKER_CONTAINER, props)] };
}

/** The one container image under a name; its task has the volume beside it. */
export function imageContainer(
  name: string,
  props: WorkerContainerProps,
): CfnTaskDefinition.ContainerDefinitionProperty & { mountPoints: CfnTaskDefinition.MountPointProperty[] } {
  return {
    name,
    image: props.image,
    essential: true,
    resourceRequirements: props.resourceRequirements,
    environment: props.environment,
    readonlyRootFilesystem: true,
    mountPoints: [{ sourceVolume: SCRATCH.volume, containerPath: SCRATCH.containerPath, readOnly: false }],
    // the longest that Fargate grants after SIGTERM for writing a checkpoint or ending answers
    stopTimeout: 120,
    // ECS does not look at the image's own
    healthCheck: {
      command: ["CMD", "node", "--no-warnings", "/app/gpu-workers/src/health.ts"],
      interval: 30,
      timeout: 10,
      startPeriod: 60,
      retries: 3,
    },
    logConfiguration: containerLog(props.logGroupName, props.party),
  };
}

/** @param prefix - of the streams' names */
export function containerLog(group: string, prefix: string): CfnTaskDefinition.LogConfigurationProperty {
  return {
    logDriver: "awslogs",
    options: { "awslogs-group": group, "awslogs-region": Aws.REGION, "awslogs-stream-prefix": prefix },
  };
}
