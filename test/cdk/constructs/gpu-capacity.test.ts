import { describe, expect, it } from "@jest/globals";
import { App, CfnOutput, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { Cluster } from "aws-cdk-lib/aws-ecs";
import { CloudCapacity } from "../../../cdk/lib/constructs/cloud-capacity.ts";
import { addFargateCapacity, FARGATE_CAPACITY, GpuCapacity } from "../../../cdk/lib/constructs/gpu-capacity.ts";
import { WorkerNetwork } from "../../../cdk/lib/constructs/worker-network.ts";
import { deploymentSettings } from "../../../cdk/lib/deployment-settings.ts";
import { propertiesOf } from "../../support/templates.ts";

const CONDITION = "CloudCapacity";

function withGpus(): Template {
  const stack = new Stack(new App({ analyticsReporting: false, builtinCloudFormationValidation: false }), "Stack");
  const settings = deploymentSettings({ environment: "dev" });
  const capacity = new CloudCapacity(stack);
  const network = new WorkerNetwork(stack, "Network", { settings, capacity });
  const cluster = new Cluster(stack, "Cluster", { vpc: network.vpc, clusterName: "workers" });
  const gpus = new GpuCapacity(stack, "Gpus", {
    capacity,
    cluster,
    network,
    name: "workers",
    instanceTypes: ["g6.xlarge", "g5.xlarge"],
    maxInstances: 3,
    diskGigabytes: 150,
    protectsTasks: true,
  });
  new CfnOutput(stack, "Spot", { value: gpus.spotProvider });
  new CfnOutput(stack, "OnDemand", { value: gpus.onDemandProvider });
  return Template.fromStack(stack);
}

describe("GPU machines", () => {
  const template = withGpus();
  const only = (type: string) => propertiesOf(template, type).map(([, properties]) => properties);

  it("come from none, as many as tasks need, and go again", () => {
    for (const group of only("AWS::AutoScaling::AutoScalingGroup"))
      expect(group).toMatchObject({ MinSize: "0", MaxSize: "3" });
    for (const group of only("AWS::AutoScaling::AutoScalingGroup")) expect(group.DesiredCapacity).toBeUndefined();
    for (const provider of only("AWS::ECS::CapacityProvider"))
      expect(provider.AutoScalingGroupProvider).toMatchObject({
        ManagedScaling: { Status: "ENABLED", TargetCapacity: 100 },
      });
  });

  it("are never taken from under a task by scaling in", () => {
    expect(only("AWS::ECS::CapacityProvider")).toHaveLength(2);
    for (const provider of only("AWS::ECS::CapacityProvider"))
      expect(provider.AutoScalingGroupProvider).toMatchObject({ ManagedTerminationProtection: "ENABLED" });
    for (const group of only("AWS::AutoScaling::AutoScalingGroup"))
      expect(group.NewInstancesProtectedFromScaleIn).toBe(true);
  });

  it("are spot in one group and on demand in the other, of any of the named types", () => {
    const policies = only("AWS::AutoScaling::AutoScalingGroup").map((group) => group.MixedInstancesPolicy);
    const shares = policies.map(
      (policy) =>
        (policy as { InstancesDistribution: { OnDemandPercentageAboveBaseCapacity: number } }).InstancesDistribution
          .OnDemandPercentageAboveBaseCapacity,
    );
    expect(shares.sort()).toEqual([0, 100]);
    for (const policy of policies)
      expect(policy).toMatchObject({
        InstancesDistribution: { SpotAllocationStrategy: "price-capacity-optimized" },
        LaunchTemplate: { Overrides: [{ InstanceType: "g6.xlarge" }, { InstanceType: "g5.xlarge" }] },
      });
  });

  it("keep their own credentials from the tasks on them, and their disks encrypted", () => {
    const [{ LaunchTemplateData }] = only("AWS::EC2::LaunchTemplate");
    expect(LaunchTemplateData).toMatchObject({
      MetadataOptions: { HttpTokens: "required", HttpPutResponseHopLimit: 1 },
      BlockDeviceMappings: [{ Ebs: { VolumeType: "gp3", Encrypted: true, VolumeSize: 150 } }],
    });
    const script = JSON.stringify(LaunchTemplateData);
    expect(script).toContain("ECS_AWSVPC_BLOCK_IMDS=true");
    expect(script).toContain("ECS_ENABLE_GPU_SUPPORT=true");
    expect(script).toContain("ECS_ENABLE_SPOT_INSTANCE_DRAINING=true");
  });

  it("find their image when they start: synthesis asks nobody, and an emulator needs no parameter for it", () => {
    const [{ LaunchTemplateData }] = only("AWS::EC2::LaunchTemplate");
    expect((LaunchTemplateData as { ImageId: string }).ImageId).toMatch(/^resolve:ssm:\/aws\/service\/ecs\/.*\/gpu\//);
    expect(Object.keys(template.findParameters("*")).sort()).toEqual(["BootstrapVersion", "UseCloudCapacity"]);
  });

  it("may do for their cluster what ECS's agent does, and attach no managed policy", () => {
    const [role] = only("AWS::IAM::Role").filter((one) => JSON.stringify(one).includes("ec2.amazonaws.com"));
    expect(role!.ManagedPolicyArns).toBeUndefined();
    const policy = only("AWS::IAM::Policy").find((one) => JSON.stringify(one).includes("ecs:Poll"));
    const { Statement } = policy!.PolicyDocument as unknown as { Statement: { Action: string; Resource: unknown }[] };
    const unscoped = Statement.filter(({ Resource }) => Resource === "*").flatMap(({ Action }) => Action);
    expect(unscoped).toEqual(["ecs:DiscoverPollEndpoint"]);
    expect(JSON.stringify(Statement)).not.toMatch(/"(ecr|logs|s3|ssm):/);
  });

  it("stand under the condition, every single resource of them, those that CDK adds too", () => {
    const resources = template.toJSON().Resources as Record<string, { Type: string; Condition?: string }>;
    const machines = Object.entries(resources).filter(([id]) => id.startsWith("Gpus"));
    expect(machines.length).toBeGreaterThan(8);
    for (const [id, { Condition }] of machines) expect([id, Condition]).toEqual([id, CONDITION]);
  });

  it("leave the providers' names to Fargate where there is no cloud", () => {
    const outputs = template.toJSON().Outputs;
    expect(outputs.Spot.Value).toEqual({ "Fn::If": [CONDITION, expect.anything(), "FARGATE_SPOT"] });
    expect(outputs.OnDemand.Value).toEqual({ "Fn::If": [CONDITION, expect.anything(), "FARGATE"] });
    const [cluster] = only("AWS::ECS::Cluster");
    expect(cluster!.CapacityProviders).toEqual({
      "Fn::If": [CONDITION, { Ref: "AWS::NoValue" }, ["FARGATE_SPOT", "FARGATE"]],
    });
  });
});

describe("a cluster for CPU work", () => {
  it("knows Fargate by its own property, without an association that emulators lack", () => {
    const stack = new Stack(new App({ analyticsReporting: false, builtinCloudFormationValidation: false }), "Stack");
    const settings = deploymentSettings({ environment: "dev", workers: "cpu" });
    const network = new WorkerNetwork(stack, "Network", { settings, capacity: new CloudCapacity(stack) });
    addFargateCapacity(new Cluster(stack, "Cluster", { vpc: network.vpc }));
    const template = Template.fromStack(stack);
    template.hasResourceProperties("AWS::ECS::Cluster", { CapacityProviders: ["FARGATE_SPOT", "FARGATE"] });
    template.resourceCountIs("AWS::ECS::ClusterCapacityProviderAssociations", 0);
    expect(FARGATE_CAPACITY).toEqual({ spotProvider: "FARGATE_SPOT", onDemandProvider: "FARGATE" });
  });
});
