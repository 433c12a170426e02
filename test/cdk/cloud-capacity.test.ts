import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "@jest/globals";
import { Template } from "aws-cdk-lib/assertions";
import { buildApp } from "../../cdk/lib/synthesize.ts";
import { deployStacks } from "../support/deployed-stacks.ts";
import { deployTemplates, synthesizeTemplates } from "../support/templates.ts";

const templates = synthesizeTemplates();
const deployed = (capacity: "true" | "false") =>
  deployTemplates(templates, { UseCloudCapacity: capacity }).map(
    ({ stack, type, id }) => `${stack.replace("fedmkt-dev-", "")} ${type} ${id.slice(0, -8)}`,
  );

/** Stack, type, construct. */
const LEFT_OUT = [
  "pipeline AWS::AutoScaling::AutoScalingGroup WorkersGpusMachinesOnDemand",
  "pipeline AWS::AutoScaling::AutoScalingGroup WorkersGpusMachinesSpot",
  "pipeline AWS::Budgets::Budget OperationsMonthBudget",
  "pipeline AWS::CloudWatch::Alarm OperationsIdleGpusAlarm",
  "pipeline AWS::EC2::FlowLog WorkersNetworkFlowsFlowLog",
  "pipeline AWS::EC2::LaunchTemplate WorkersGpusMachinesTemplate",
  "pipeline AWS::EC2::SecurityGroup WorkersNetworkAnswersInbound",
  "pipeline AWS::EC2::VPCEndpoint WorkersNetworkAnswersStepFunctions",
  "pipeline AWS::ECS::CapacityProvider WorkersGpusMachinesOnDemandProvider",
  "pipeline AWS::ECS::CapacityProvider WorkersGpusMachinesSpotProvider",
  "pipeline AWS::ECS::ClusterCapacityProviderAssociations WorkersGpusMachinesProviders",
  "pipeline AWS::IAM::InstanceProfile WorkersGpusMachinesProfile",
  "pipeline AWS::IAM::Policy WorkersGpusMachinesRoleDefaultPolicy",
  "pipeline AWS::IAM::Policy WorkersNetworkFlowsFlowLogIAMRoleDefaultPolicy",
  "pipeline AWS::IAM::Role WorkersGpusMachinesRole",
  "pipeline AWS::IAM::Role WorkersNetworkFlowsFlowLogIAMRole",
  "pipeline AWS::Logs::LogGroup WorkersNetworkFlowsLog",
];

describe("without a real account's capacity", () => {
  it("exactly these resources are left out", () => {
    const without = new Set(deployed("false"));
    expect(
      deployed("true")
        .filter((resource) => !without.has(resource))
        .sort(),
    ).toEqual(LEFT_OUT);
  });

  it("nothing is there that is not there with it", () => {
    const withIt = new Set(deployed("true"));
    expect(deployed("false").filter((resource) => !withIt.has(resource))).toEqual([]);
  });

  it("no type is left of those that emulators lack", () => {
    const types = deployed("false").map((resource) => resource.split(" ")[1]);
    expect(types.filter((type) => REFUSED.test(type))).toEqual([]);
  });

  it("tasks run on Fargate, each with an address of its own; with it, on GPU machines without", () => {
    const of = (capacity: "true" | "false") => deployTemplates(templates, { UseCloudCapacity: capacity });
    const task = (capacity: "true" | "false", id: string) =>
      of(capacity).find(({ type, stack }) => type === "AWS::ECS::TaskDefinition" && stack.endsWith(id))!.properties;
    for (const stack of ["pipeline", "client-harbour"]) {
      expect(task("false", stack)).toMatchObject({
        RequiresCompatibilities: ["FARGATE"],
        Memory: "16384",
        EphemeralStorage: { SizeInGiB: 50 },
      });
      expect(JSON.stringify(task("false", stack))).not.toContain("GPU");
      expect(task("true", stack)).toMatchObject({
        RequiresCompatibilities: ["EC2"],
        ContainerDefinitions: [{ ResourceRequirements: [{ Type: "GPU", Value: "1" }] }],
      });
      expect(task("true", stack)).not.toHaveProperty("EphemeralStorage");
    }
    const definitions = (capacity: "true" | "false") =>
      of(capacity)
        .filter(({ type }) => type === "AWS::StepFunctions::StateMachine")
        .map(({ properties }) => String(properties.DefinitionString));
    for (const definition of definitions("false")) {
      expect(definition).toContain('"CapacityProvider":"FARGATE_SPOT"');
      expect(definition).toContain('"AssignPublicIp":"ENABLED"');
    }
    for (const definition of definitions("true")) {
      expect(definition).not.toContain("FARGATE");
      expect(definition).toContain('"AssignPublicIp":"DISABLED"');
    }
  });
});

describe("where workers compute on CPUs", () => {
  const outdir = mkdtempSync(path.join(tmpdir(), "fedmkt-cpu-"));
  const app = buildApp({ bundle: false, outdir, workers: "cpu", clients: ["harbour"], validate: true });

  it("there is no GPU machine and no endpoint, and every job runs on Fargate, in a real account too", () => {
    const deployed = deployStacks({
      "fedmkt-dev-state": { template: Template.fromStack(app.state).toJSON() },
      "fedmkt-dev-pipeline": { template: Template.fromStack(app.pipeline).toJSON() },
      "fedmkt-dev-client-harbour": { template: Template.fromStack(app.clients[0]).toJSON() },
    });
    const of = (type: string) => deployed.filter((one) => one.type === type).map(({ properties }) => properties);
    expect(of("AWS::AutoScaling::AutoScalingGroup")).toEqual([]);
    expect(of("AWS::EC2::VPCEndpoint").map(({ VpcEndpointType }) => VpcEndpointType)).toEqual(["Gateway"]);
    expect(of("AWS::ECS::Cluster")).toMatchObject([{ CapacityProviders: ["FARGATE_SPOT", "FARGATE"] }]);
    expect(of("AWS::ECS::TaskDefinition")).toHaveLength(2);
    for (const task of of("AWS::ECS::TaskDefinition")) {
      expect(task).toMatchObject({ RequiresCompatibilities: ["FARGATE"], EphemeralStorage: { SizeInGiB: 50 } });
      expect(JSON.stringify(task)).not.toMatch(/GPU|cuda/);
    }
    for (const { DefinitionString } of of("AWS::StepFunctions::StateMachine")) {
      expect(DefinitionString).toContain('"CapacityProvider":"FARGATE_SPOT"');
      expect(DefinitionString).toContain('"AssignPublicIp":"ENABLED"');
    }
  });

  it("the templates pass CloudFormation's own rules", () => {
    const { directory } = app.app.synth();
    const report = JSON.parse(readFileSync(path.join(directory, "validation-report.json"), "utf8"));
    expect((report.pluginReports as { violations: unknown[] }[]).flatMap(({ violations }) => violations)).toEqual([]);
  });
});

/** MiniStack 1.5.33 refuses a stack with one of these. */
const REFUSED =
  /^AWS::(ECS::(CapacityProvider|ClusterCapacityProviderAssociations)|ApplicationAutoScaling::|Budgets::Budget|SecretsManager::RotationSchedule|EC2::FlowLog|XRay::Group)/;
