import { describe, expect, it } from "@jest/globals";
import { App, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { CloudCapacity } from "../../../cdk/lib/constructs/cloud-capacity.ts";
import { WorkerNetwork } from "../../../cdk/lib/constructs/worker-network.ts";
import { deploymentSettings } from "../../../cdk/lib/deployment-settings.ts";
import { propertiesOf } from "../../support/templates.ts";

function network(workers: "gpu" | "cpu"): Template {
  const stack = new Stack(new App({ analyticsReporting: false, builtinCloudFormationValidation: false }), "Stack");
  const settings = deploymentSettings({ environment: "dev", workers });
  new WorkerNetwork(stack, "Network", { settings, capacity: new CloudCapacity(stack) });
  return Template.fromStack(stack);
}

describe("the workers' network", () => {
  const template = network("gpu");
  const conditional = (type: string) =>
    Object.values(template.findResources(type)).map(({ Condition }) => Condition as unknown);

  it("has no NAT and no custom resource", () => {
    template.resourceCountIs("AWS::EC2::NatGateway", 0);
    expect(JSON.stringify(template.toJSON())).not.toContain("Custom::");
  });

  it("lets nobody in but its own workers, and those to the endpoint's HTTPS alone", () => {
    const ingress = propertiesOf(template, "AWS::EC2::SecurityGroup").flatMap(
      ([, { SecurityGroupIngress }]) => SecurityGroupIngress ?? [],
    );
    expect(ingress).toEqual([expect.objectContaining({ CidrIp: "10.0.0.0/16", FromPort: 443, ToPort: 443 })]);
    template.resourceCountIs("AWS::EC2::SecurityGroupIngress", 0);
  });

  it("reaches S3 through a gateway, and in the cloud Step Functions through an endpoint of its own", () => {
    const endpoints = Object.values(template.findResources("AWS::EC2::VPCEndpoint")).map(
      ({ Condition, Properties }) => [Properties.VpcEndpointType, Condition],
    );
    expect(endpoints.sort()).toEqual([
      ["Gateway", undefined],
      ["Interface", "CloudCapacity"],
    ]);
  });

  it("writes down who spoke with whom, where there is a cloud", () => {
    expect(conditional("AWS::EC2::FlowLog")).toEqual(["CloudCapacity"]);
    template.hasResourceProperties("AWS::EC2::FlowLog", { TrafficType: "ALL" });
  });

  it("needs no endpoint where tasks have addresses of their own", () => {
    network("cpu").resourceCountIs("AWS::EC2::VPCEndpoint", 1);
  });
});
