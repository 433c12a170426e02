import { Stack } from "aws-cdk-lib";
import { Cluster, ContainerInsights } from "aws-cdk-lib/aws-ecs";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
import type { CloudCapacity } from "./cloud-capacity.ts";
import { addFargateCapacity, FARGATE_CAPACITY, GpuCapacity, type WorkerCapacity } from "./gpu-capacity.ts";
import { houseLogGroup } from "./house-log-group.ts";
import { WORKER_DISK_GIGABYTES } from "./worker-container.ts";
import { WorkerNetwork } from "./worker-network.ts";

/**
 * Where the coordinator's workers run: a cluster in a network of its own, the machines of it, the log of all workers, and the
 * role by which ECS fetches the image and writes that log.
 */
export class WorkerCluster extends Construct {
  readonly network: WorkerNetwork;
  readonly cluster: Cluster;
  readonly executionRole: Role;
  readonly logGroup: LogGroup;
  /** absent where workers run on Fargate, always */
  readonly gpus?: GpuCapacity;
  /** ENABLED where a task has no other way out than an address of its own; a GPU machine's tasks cannot have one */
  readonly publicAddress: string;

  constructor(scope: Construct, id: string, props: { settings: DeploymentSettings; capacity: CloudCapacity }) {
    super(scope, id);
    const { settings, capacity } = props;
    const { names, workers, gpu } = settings;
    this.network = new WorkerNetwork(this, "Network", { settings, capacity });
    this.cluster = new Cluster(this, "Cluster", {
      vpc: this.network.vpc,
      clusterName: names.cluster,
      containerInsightsV2: ContainerInsights.ENABLED, // counts the tasks that run: machines beyond them are idle
    });
    if (workers === "gpu")
      this.gpus = new GpuCapacity(this, "Gpus", {
        capacity,
        cluster: this.cluster,
        network: this.network,
        name: names.cluster,
        instanceTypes: gpu.instanceTypes,
        maxInstances: gpu.maxInstances,
        diskGigabytes: WORKER_DISK_GIGABYTES,
        protectsTasks: true,
      });
    else addFargateCapacity(this.cluster);
    this.publicAddress = workers === "gpu" ? capacity.either("DISABLED", "ENABLED").toString() : "ENABLED";
    this.logGroup = houseLogGroup(this, "Log", settings, names.workerLogGroup);
    this.executionRole = new Role(this, "Execution", {
      assumedBy: new ServicePrincipal("ecs-tasks.amazonaws.com"),
      description: `${names.cluster}: fetches the workers' image and writes their log`,
    });
    this.executionRole.addToPolicy(
      new PolicyStatement({
        actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
        resources: [this.logGroup.logGroupArn],
      }),
    );
  }

  /** The capacity providers' names. */
  get providers(): WorkerCapacity {
    return this.gpus ?? FARGATE_CAPACITY;
  }

  /** Every task of the cluster. */
  get taskArns(): string {
    return Stack.of(this).formatArn({
      service: "ecs",
      resource: "task",
      resourceName: `${this.cluster.clusterName}/*`,
    });
  }
}
