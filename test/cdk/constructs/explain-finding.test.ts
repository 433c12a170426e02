import { describe, expect, it } from "@jest/globals";
import { App, Stack } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Bucket } from "aws-cdk-lib/aws-s3";
import { AwsSolutionsChecks } from "cdk-nag";
import { explainWildcards } from "../../../cdk/lib/constructs/explain-finding.ts";

/** A role in one stack that reads two prefixes of a bucket in another. */
function roleOverStacks(explain: (role: Role, bucket: Bucket) => void): string[] {
  const app = new App({ analyticsReporting: false, builtinCloudFormationValidation: false });
  const bucket = new Bucket(new Stack(app, "Data"), "Bucket");
  const stack = new Stack(app, "Work");
  const role = new Role(stack, "Role", { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
  role.addToPolicy(
    new PolicyStatement({
      actions: ["s3:GetObject"],
      resources: [bucket.arnForObjects("runs/*"), bucket.arnForObjects("secrets/*")],
    }),
  );
  role.addToPolicy(new PolicyStatement({ actions: ["s3:List*"], resources: [bucket.bucketArn] }));
  explain(role, bucket);
  app.synth();
  return new AwsSolutionsChecks()
    .validateScope(stack)
    .violations.map(({ ruleName }) => ruleName)
    .filter((name) => name.startsWith("AwsSolutions-IAM5"));
}

describe("explained wildcards", () => {
  it("are no finding any more, in references between stacks too, and all others remain one", () => {
    const left = roleOverStacks((role) =>
      explainWildcards(role, [{ matching: /\/runs\/\*$/, reason: "runs are named by people" }]),
    );
    expect(left).toHaveLength(2);
    expect(left).toContainEqual(expect.stringMatching(/secrets\/\*\]$/));
    expect(left).toContain("AwsSolutions-IAM5[Action::s3:List*]");
  });

  it("may be named in full, references in it too", () => {
    const left = roleOverStacks((role, bucket) =>
      explainWildcards(role, [{ matching: bucket.arnForObjects("secrets/*"), reason: "of tests" }]),
    );
    expect(left).toHaveLength(2);
    expect(left).not.toContainEqual(expect.stringMatching(/secrets/));
  });

  it("are findings where nobody explains them", () => {
    expect(roleOverStacks(() => {})).toHaveLength(3);
  });
});
