import { describe, expect, it } from "@jest/globals";
import { App, CfnParameter, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { AwsSolutionsChecks } from "cdk-nag";
import { letFetchImage } from "../../../cdk/lib/constructs/fetch-image.ts";
import { propertiesOf } from "../../support/templates.ts";

/** What a role may do about ECR, action by action, once it may fetch an image. */
function allowed(imageOf: (stack: Stack) => string): { resources: unknown[]; findings: string[] } {
  const stack = new Stack(new App({ analyticsReporting: false, builtinCloudFormationValidation: false }), "Stack");
  const role = new Role(stack, "Role", { assumedBy: new ServicePrincipal("ecs-tasks.amazonaws.com") });
  letFetchImage(role, imageOf(stack));
  const policies = propertiesOf(Template.fromStack(stack), "AWS::IAM::Policy");
  const statements = policies.flatMap(
    ([, { PolicyDocument }]) => (PolicyDocument as unknown as { Statement: { Resource: unknown }[] }).Statement,
  );
  return {
    resources: statements.map(({ Resource }) => Resource),
    findings: new AwsSolutionsChecks().validateScope(stack).violations.map(({ ruleName }) => ruleName),
  };
}
const repository = (place: string) => ({ "Fn::Join": ["", ["arn:", { Ref: "AWS::Partition" }, `:ecr:${place}`]] });

describe("a role that starts tasks", () => {
  it("may fetch the one image of ECR that is named, and no other", () => {
    const { resources, findings } = allowed(() => "111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/fedmkt:1");
    expect(resources).toEqual([repository("eu-central-1:111122223333:repository/team/fedmkt"), "*"]);
    expect(findings).toEqual([]);
  });

  it("needs no leave for an image of another registry", () => {
    expect(allowed(() => "registry.example.org/fedmkt:1").resources).toEqual([]);
  });

  it("may fetch any where a parameter names it", () => {
    const { resources, findings } = allowed((stack) => new CfnParameter(stack, "Image").valueAsString);
    expect(resources).toEqual([repository("*:*:repository/*"), "*"]);
    expect(findings).toEqual([]);
  });
});
