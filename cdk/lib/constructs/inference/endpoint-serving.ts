import type { InferenceSettings } from "@fedmkt/shared/contracts/inference-settings.ts";
import { InterfaceVpcEndpoint, InterfaceVpcEndpointAwsService, Port, SecurityGroup } from "aws-cdk-lib/aws-ec2";
import { Cluster, ContainerInsights } from "aws-cdk-lib/aws-ecs";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import type { DeploymentSettings } from "../../deployment-settings.ts";
import type { CloudCapacity } from "../cloud-capacity.ts";
import { acknowledge } from "../explain-finding.ts";
import { addFargateCapacity, FARGATE_CAPACITY, GpuCapacity } from "../gpu-capacity.ts";
import { HouseAlarm } from "../house-alarm.ts";
import { standUnder } from "../stand-under.ts";
import { WORKER_DISK_GIGABYTES } from "../worker-container.ts";
import { WorkerNetwork } from "../worker-network.ts";
import { type EndpointAlarms, EndpointFrontAlarms } from "./endpoint-alarms.ts";
import { EndpointDashboard } from "./endpoint-dashboard.ts";
import { EndpointFront } from "./endpoint-front.ts";
import { EndpointScaling } from "./endpoint-scaling.ts";
import { EndpointService } from "./endpoint-service.ts";

/** While a new version takes over, each task has one more beside it. */
const WHILE_ROLLING_OUT = 2;

export interface EndpointServingProps {
  name: string;
  settings: DeploymentSettings;
  inference: InferenceSettings;
  capacity: CloudCapacity;
  taskDefinitionArn: string;
  accessLogBucket: string;
  alarms: EndpointAlarms;
  topic: ITopic;
}

/**
 * What runs an endpoint's tasks and leads to them: a network and a cluster of its own, machines, load balancer, service, scaling, and
 * what is looked at. All of it stands under `CloudCapacity`.
 *
 * A task on a GPU machine has no way out but to S3 and to its keys, so that neither vLLM nor a model can send a prompt anywhere. On
 * Fargate it has an address of its own, as the workers have there.
 */
export class EndpointServing extends Construct {
  readonly outputs: EndpointFront["outputs"];

  constructor(scope: Construct, id: string, props: EndpointServingProps) {
    super(scope, id);
    const { name, settings, inference, capacity } = props;
    standUnder(capacity.condition, this);
    acknowledge(this, {
      "CloudFormation-Validate::W1028":
        "Capacity has a name without machines too, for stacks that are there without them; here all goes together.",
    });
    const network = new WorkerNetwork(this, "Network", { settings, capacity, tasksShareAddress: true });
    const { vpc } = network;
    const cluster = new Cluster(this, "Cluster", {
      vpc,
      clusterName: name,
      containerInsightsV2: ContainerInsights.ENABLED, // counts tasks that are wanted and that run, by which the endpoint scales
    });
    const tasks = new SecurityGroup(this, "TaskInbound", {
      vpc,
      description: "FedMKT inference: tasks, which the load balancer alone reaches",
      allowAllOutbound: true,
    });
    const front = new EndpointFront(this, "Front", { ...props, vpc, tasks });
    this.outputs = front.outputs;
    const service = new EndpointService(this, "Tasks", {
      name,
      cluster,
      taskDefinitionArn: props.taskDefinitionArn,
      capacityProvider: this.#capacityProvider(props, network, cluster, tasks),
      subnetIds: vpc.publicSubnets.map(({ subnetId }) => subnetId),
      securityGroupId: tasks.securityGroupId,
      publicAddress: inference.service === "cpu",
      front,
    });
    new EndpointScaling(this, "Scaling", { name, tasks: inference.tasks, front, service });
    const alarms = new EndpointFrontAlarms(this, "Alarms", { name, front, topic: props.topic });
    new EndpointDashboard(this, "Overview", {
      name,
      front,
      alarms: [props.alarms, alarms].flatMap(({ node }) =>
        node.findAll().filter((one): one is HouseAlarm => one instanceof HouseAlarm),
      ),
    });
  }

  #capacityProvider(
    { name, inference, capacity }: EndpointServingProps,
    network: WorkerNetwork,
    cluster: Cluster,
    tasks: SecurityGroup,
  ): string {
    if (inference.service === "cpu") {
      addFargateCapacity(cluster);
      return FARGATE_CAPACITY.onDemandProvider;
    }
    this.#keysEndpoint(network, tasks);
    const gpus = new GpuCapacity(this, "Gpus", {
      capacity,
      cluster,
      network,
      name,
      instanceTypes: inference.instanceTypes,
      maxInstances: WHILE_ROLLING_OUT * inference.tasks.most,
      diskGigabytes: WORKER_DISK_GIGABYTES,
      // a machine that goes lets its task end its answers first, and CloudFormation can take all of it away at any time
      protectsTasks: false,
    });
    // answers are not taken up by the next machine as jobs are: a spot machine's two minutes are shorter than the longest
    return gpus.onDemandProvider;
  }

  /** Tasks on GPU machines read their keys through it. */
  #keysEndpoint({ vpc }: WorkerNetwork, tasks: SecurityGroup): void {
    const inbound = new SecurityGroup(this, "KeysInbound", {
      vpc,
      description: "FedMKT inference: tasks read their keys here",
      allowAllOutbound: false,
    });
    inbound.addIngressRule(tasks, Port.tcp(443), "the endpoint's tasks");
    new InterfaceVpcEndpoint(this, "Keys", {
      vpc,
      service: InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
      securityGroups: [inbound],
      open: false, // the group above says who may
    });
  }
}
