import { Aws, Fn, Stack, Token } from "aws-cdk-lib";
import { CfnAutoScalingGroup } from "aws-cdk-lib/aws-autoscaling";
import { CfnLaunchTemplate } from "aws-cdk-lib/aws-ec2";
import {
  CfnCapacityProvider,
  type CfnCluster,
  CfnClusterCapacityProviderAssociations,
  type Cluster,
} from "aws-cdk-lib/aws-ecs";
import { CfnInstanceProfile, PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import type { CloudCapacity } from "./cloud-capacity.ts";
import { acknowledge, explainWildcards } from "./explain-finding.ts";
import { standUnder } from "./stand-under.ts";
import type { WorkerNetwork } from "./worker-network.ts";

/** Where a worker state starts its task: names of capacity providers, as a state machine's definition takes them. */
export interface WorkerCapacity {
  spotProvider: string;
  onDemandProvider: string;
}

/** Serverless capacity: CPU only, and known to every cluster by these names. */
export const FARGATE_CAPACITY: WorkerCapacity = { spotProvider: "FARGATE_SPOT", onDemandProvider: "FARGATE" };

/** Gives a cluster its serverless capacity, by the cluster's own property: an association is a type that emulators lack. */
export function addFargateCapacity(cluster: Cluster): void {
  (cluster.node.defaultChild as CfnCluster).capacityProviders = Object.values(FARGATE_CAPACITY);
}

export interface GpuCapacityProps {
  capacity: CloudCapacity;
  cluster: Cluster;
  network: WorkerNetwork;
  /** e.g. `fedmkt-dev-workers`: the providers are called so with `-spot` and `-on-demand` behind it */
  name: string;
  /** EC2 instance types that will do, x86-64 with one NVIDIA GPU each, the best first; the more, the more often spot has one */
  instanceTypes: readonly string[];
  /** most machines of either kind at the same time */
  maxInstances: number;
  /** of a machine's disk: the image, the models, checkpoints */
  diskGigabytes: number;
  /**
   * whether scaling in leaves a machine with a task on it alone. CloudFormation then cannot delete the group while a machine stands:
   * it forces nothing, and ECS never takes the protection back (aws/aws-cdk#18179)
   */
  protectsTasks: boolean;
}

/** Amazon's own: driver, container runtime and agent. EC2 looks the parameter up at every launch, so that fixes arrive by themselves. */
const MACHINE_IMAGE = "resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id";

/** A task asks for a whole GPU, so every job waiting is one machine more; more at once would only queue for the same quota. */
const LARGEST_STEP = 10;

/**
 * GPU machines for a cluster, from none up to a maximum, as two capacity providers: spot, and on demand for what spot cannot give.
 * Machines come with the tasks that wait for them and go about 15 minutes after the last task. A machine with a protected task on it
 * is never taken by scaling in (managed termination protection), only by EC2 where it was a spot one.
 *
 * All of it stands under `CloudCapacity`; without, the providers' names are those of Fargate.
 */
export class GpuCapacity extends Construct implements WorkerCapacity {
  readonly spotProvider: string;
  readonly onDemandProvider: string;
  /** names of the Auto Scaling groups, of the spot machines' first; "none" where there are none */
  readonly groupNames: string[];

  constructor(scope: Construct, id: string, props: GpuCapacityProps) {
    super(scope, id);
    const { capacity } = props;
    const machines = new Construct(this, "Machines");
    standUnder(capacity.condition, machines);

    const launchTemplate = this.launchTemplate(machines, props);
    const spot = this.group(machines, "Spot", launchTemplate, props);
    const onDemand = this.group(machines, "OnDemand", launchTemplate, props);
    const spotProvider = this.provider(machines, "SpotProvider", `${props.name}-spot`, spot, props);
    const onDemandProvider = this.provider(machines, "OnDemandProvider", `${props.name}-on-demand`, onDemand, props);
    new CfnClusterCapacityProviderAssociations(machines, "Providers", {
      cluster: props.cluster.clusterName,
      capacityProviders: [spotProvider.ref, onDemandProvider.ref],
      defaultCapacityProviderStrategy: [], // every state names the provider it wants
    });
    this.spotProvider = Token.asString(capacity.either(spotProvider.ref, FARGATE_CAPACITY.spotProvider));
    this.onDemandProvider = Token.asString(capacity.either(onDemandProvider.ref, FARGATE_CAPACITY.onDemandProvider));
    // a reference to what is not there is refused, wherever it stands
    this.groupNames = [spot, onDemand].map(({ ref }) => Token.asString(capacity.either(ref, "none")));
    // the association and this property would take turns in overwriting each other
    (props.cluster.node.defaultChild as CfnCluster).capacityProviders = Token.asList(
      capacity.either(Aws.NO_VALUE, Object.values(FARGATE_CAPACITY)),
    );
  }

  private launchTemplate(scope: Construct, { cluster, network, name, diskGigabytes }: GpuCapacityProps) {
    const role = this.instanceRole(scope, cluster);
    const profile = new CfnInstanceProfile(scope, "Profile", { roles: [role.roleName] });
    return new CfnLaunchTemplate(scope, "Template", {
      launchTemplateData: {
        imageId: MACHINE_IMAGE,
        iamInstanceProfile: { arn: profile.attrArn },
        securityGroupIds: [network.securityGroup.securityGroupId],
        // one hop: the answer reaches the machine, and no container on it
        metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 },
        blockDeviceMappings: [
          {
            deviceName: "/dev/xvda",
            ebs: { volumeType: "gp3", volumeSize: diskGigabytes, encrypted: true, deleteOnTermination: true },
          },
        ],
        userData: Fn.base64(agentConfiguration(cluster.clusterName)),
        tagSpecifications: [{ resourceType: "volume", tags: [{ key: "Name", value: name }] }],
      },
    });
  }

  private group(scope: Construct, kind: "Spot" | "OnDemand", template: CfnLaunchTemplate, props: GpuCapacityProps) {
    const group = new CfnAutoScalingGroup(scope, kind, {
      minSize: "0",
      maxSize: String(props.maxInstances),
      vpcZoneIdentifier: props.network.vpc.publicSubnets.map(({ subnetId }) => subnetId),
      newInstancesProtectedFromScaleIn: props.protectsTasks, // managed termination protection takes it off where no task is left
      mixedInstancesPolicy: {
        instancesDistribution: {
          onDemandPercentageAboveBaseCapacity: kind === "Spot" ? 0 : 100,
          spotAllocationStrategy: "price-capacity-optimized",
          onDemandAllocationStrategy: "prioritized",
        },
        launchTemplate: {
          launchTemplateSpecification: {
            launchTemplateId: template.ref,
            version: template.attrLatestVersionNumber,
          },
          overrides: props.instanceTypes.map((instanceType) => ({ instanceType })),
        },
      },
      metricsCollection: [{ granularity: "1Minute", metrics: ["GroupInServiceInstances"] }],
      tags: [
        { key: "Name", value: props.name, propagateAtLaunch: true },
        // ECS puts it there by itself, and CloudFormation would take it away
        { key: "AmazonECSManaged", value: "", propagateAtLaunch: true },
      ],
    });
    acknowledge(group, {
      "AwsSolutions-EC26":
        "The rule does not look into a group of mixed types; its launch template's disk is encrypted.",
      "AwsSolutions-AS3":
        "Machines come and go with every job; a message for each would bury the alarms. A job that gets no machine fails its " +
        "state's heartbeat and then its run, which is alarmed, and so are machines that stand idle.",
    });
    return group;
  }

  private provider(
    scope: Construct,
    id: string,
    name: string,
    group: CfnAutoScalingGroup,
    { protectsTasks }: GpuCapacityProps,
  ): CfnCapacityProvider {
    return new CfnCapacityProvider(scope, id, {
      name,
      autoScalingGroupProvider: {
        autoScalingGroupArn: group.ref,
        managedScaling: {
          status: "ENABLED",
          targetCapacity: 100, // no machine in reserve, none at all while no task waits
          minimumScalingStepSize: 1,
          maximumScalingStepSize: LARGEST_STEP,
        },
        managedTerminationProtection: protectsTasks ? "ENABLED" : "DISABLED",
        managedDraining: "ENABLED",
      },
    });
  }

  /** What ECS's agent needs for this cluster. Images are fetched and logs are written by the task's execution role. */
  private instanceRole(scope: Construct, cluster: Cluster): Role {
    const role = new Role(scope, "Role", { assumedBy: new ServicePrincipal("ec2.amazonaws.com") });
    const instances = Stack.of(this).formatArn({
      service: "ecs",
      resource: "container-instance",
      resourceName: `${cluster.clusterName}/*`,
    });
    role.addToPolicy(
      new PolicyStatement({
        actions: [
          "ecs:RegisterContainerInstance",
          "ecs:DeregisterContainerInstance",
          "ecs:SubmitContainerStateChange",
          "ecs:SubmitTaskStateChange",
          "ecs:SubmitAttachmentStateChanges",
        ],
        resources: [cluster.clusterArn],
      }),
    );
    role.addToPolicy(
      new PolicyStatement({
        actions: ["ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"],
        resources: [instances],
      }),
    );
    role.addToPolicy(new PolicyStatement({ actions: ["ecs:DiscoverPollEndpoint"], resources: ["*"] }));
    explainWildcards(role, [
      { matching: /container-instance\/.+\/\*$/, reason: "A machine gets its name in the cluster when it starts." },
      {
        matching: /^Resource::\*$/,
        reason: "The action ecs:DiscoverPollEndpoint knows no resource; it tells an address.",
      },
    ]);
    return role;
  }
}

function agentConfiguration(clusterName: string): string {
  return [
    "#!/bin/bash",
    "cat >> /etc/ecs/ecs.config <<'END'",
    `ECS_CLUSTER=${clusterName}`,
    "ECS_ENABLE_GPU_SUPPORT=true",
    "ECS_ENABLE_SPOT_INSTANCE_DRAINING=true",
    "ECS_CONTAINER_START_TIMEOUT=10m",
    "ECS_AWSVPC_BLOCK_IMDS=true",
    "ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE=true",
    "END",
    "",
  ].join("\n");
}
