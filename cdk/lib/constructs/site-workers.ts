import type { QueueWorkerEnvironment } from "@fedmkt/shared/contracts/environment.ts";
import { Aws, type CfnCondition, CfnParameter, CfnRule, Fn } from "aws-cdk-lib";
import { CfnService, CfnTaskDefinition, Cluster, ContainerInsights } from "aws-cdk-lib/aws-ecs";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
import { CloudCapacity } from "./cloud-capacity.ts";
import { acknowledge } from "./explain-finding.ts";
import { letFetchImage } from "./fetch-image.ts";
import { GpuCapacity } from "./gpu-capacity.ts";
import { houseLogGroup } from "./house-log-group.ts";
import { standUnder } from "./stand-under.ts";
import { GPU_TASK, OPEN_VARIABLES, WORKER_DISK_GIGABYTES, workerContainer } from "./worker-container.ts";
import { WorkerNetwork } from "./worker-network.ts";

/** Machines that a site may have at the same time. */
const MOST_WORKERS = 10;

export interface SiteWorkersProps {
  settings: DeploymentSettings;
  client: string;
  /** of the worker at the site */
  role: Role;
  /** that the worker takes at the coordinator */
  partyRoleArn: string;
  externalId: { value: string; isGiven: CfnCondition };
}

/**
 * GPU machines in a silo's own account, each with one worker that takes the party's jobs from its queue, by the same container as
 * the coordinator's. None unless the parameter `GpuWorkers` asks for some; all of it stands under `CloudCapacity`.
 *
 * On demand: a queue's worker stays, and a place that falls back from spot to on demand by itself has only a job's state.
 */
export class SiteWorkers extends Construct {
  constructor(scope: Construct, id: string, props: SiteWorkersProps) {
    super(scope, id);
    const { settings, role } = props;
    const parameters = siteParameters(scope);
    new CfnRule(scope, "GpuWorkersNeed", {
      ruleCondition: Fn.conditionNot(Fn.conditionEquals(parameters.workers.valueAsString, "0")),
      assertions: [parameters.queueUrl, parameters.image].map((needed) => ({
        assert: Fn.conditionNot(Fn.conditionEquals(needed.valueAsString, "")),
        assertDescription: `GPU machines that work here need ${needed.logicalId}`,
      })),
    });
    const capacity = new CloudCapacity(
      scope,
      Fn.conditionNot(Fn.conditionEquals(parameters.workers.valueAsString, "0")),
    );
    standUnder(capacity.condition, this);
    acknowledge(this, {
      "CloudFormation-Validate::W1028":
        "Capacity has a name without machines too, for stacks that are there without them; here all goes together.",
    });
    const name = settings.names.siteStack(props.client);
    const network = new WorkerNetwork(this, "Network", { settings, capacity, tasksShareAddress: true });
    const cluster = new Cluster(this, "Cluster", {
      vpc: network.vpc,
      clusterName: name,
      containerInsightsV2: ContainerInsights.ENABLED,
    });
    const gpus = new GpuCapacity(this, "Gpus", {
      capacity,
      cluster,
      network,
      name,
      instanceTypes: settings.gpu.instanceTypes,
      maxInstances: MOST_WORKERS,
      diskGigabytes: WORKER_DISK_GIGABYTES,
      // a worker whose machine goes hands its job back to the queue; and a site takes machines and stack away by CloudFormation alone
      protectsTasks: false,
    });
    const logGroup = houseLogGroup(this, "Log", settings);
    const executionRole = new Role(this, "Execution", { assumedBy: new ServicePrincipal("ecs-tasks.amazonaws.com") });
    executionRole.addToPolicy(
      new PolicyStatement({
        actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
        resources: [logGroup.logGroupArn],
      }),
    );
    letFetchImage(executionRole, parameters.image.valueAsString);
    const task = new CfnTaskDefinition(this, "Task", {
      family: name,
      requiresCompatibilities: ["EC2"],
      networkMode: "bridge", // out by the machine's address, with nothing open and no way to the machine's own role
      cpu: GPU_TASK.cpu,
      memory: GPU_TASK.memory,
      taskRoleArn: role.roleArn,
      executionRoleArn: executionRole.roleArn,
      ...workerContainer({
        image: parameters.image.valueAsString,
        environment: this.#environment(props, parameters.queueUrl.valueAsString),
        resourceRequirements: [{ type: "GPU", value: "1" }],
        logGroupName: logGroup.logGroupName,
        party: props.client,
      }),
    });
    acknowledge(task, OPEN_VARIABLES);
    const service = new CfnService(this, "Service", {
      cluster: cluster.clusterArn,
      taskDefinition: task.ref,
      desiredCount: parameters.workers.valueAsNumber,
      capacityProviderStrategy: [{ capacityProvider: gpus.onDemandProvider, weight: 1 }],
      // a new version waits for the old one's machine, instead of asking for one more
      deploymentConfiguration: { minimumHealthyPercent: 0, maximumPercent: 100 },
    });
    service.node.addDependency(gpus);
  }

  #environment({ client, partyRoleArn, externalId, settings }: SiteWorkersProps, queueUrl: string) {
    // https://sqs.<region>.amazonaws.com/<account>/<name>: where the coordinator is. CloudFormation refuses to select what is not
    // there, and may look at these also where no address is given and nothing is made: hence the parts behind it
    const parts = Fn.join("", [queueUrl, "///."]);
    const region = Fn.select(1, Fn.split(".", parts));
    const account = Fn.select(3, Fn.split("/", parts));
    const variables = {
      AWS_REGION: region,
      FEDMKT_CONTROL_BUCKET: settings.names.bucket("control", account, region),
      FEDMKT_ARTEFACT_BUCKET: settings.names.bucket("artefacts", account, region),
      FEDMKT_REGISTRY_BUCKET: settings.names.bucket("registry", account, region),
      FEDMKT_LOCAL_FILES: "false",
      FEDMKT_DEVICE: "cuda",
      FEDMKT_PARTY: client,
      FEDMKT_JOB_QUEUE_URL: queueUrl,
      FEDMKT_PARTY_ROLE_ARN: partyRoleArn,
    } satisfies Partial<Record<keyof QueueWorkerEnvironment | "AWS_REGION", string>>;
    const named = { Name: "FEDMKT_EXTERNAL_ID" satisfies keyof QueueWorkerEnvironment, Value: externalId.value };
    return [
      ...Object.entries(variables).map(([name, value]) => ({ name, value })),
      Fn.conditionIf(externalId.isGiven.logicalId, named, Aws.NO_VALUE),
    ];
  }
}

function siteParameters(scope: Construct) {
  return {
    workers: new CfnParameter(scope, "GpuWorkers", {
      type: "Number",
      default: 0,
      minValue: 0,
      maxValue: MOST_WORKERS,
      description: "GPU machines that work here; none where the site's own machines do",
    }),
    queueUrl: new CfnParameter(scope, "JobQueueUrl", {
      type: "String",
      default: "",
      allowedPattern: "^$|^https://.+$",
      description: "the party's job queue at the coordinator; needed by GPU machines alone",
    }),
    image: new CfnParameter(scope, "WorkerImage", {
      type: "String",
      default: "",
      description: "the worker's container image; needed by GPU machines alone",
    }),
  };
}
