import { describe, expect, it } from "@jest/globals";
import { deployTemplates, synthesizeTemplates } from "../support/templates.ts";

/** What stays when every stack of an environment is deleted: type and name of its stack and construct. */
function retained(environment: "dev" | "prod"): string[] {
  const parameters = { UseCloudCapacity: "true" };
  return deployTemplates(synthesizeTemplates(environment), parameters, environment)
    .filter(({ deletionPolicy, stack }) => deletionPolicy !== "Delete" && !stack.endsWith("-forest"))
    .map(({ type, stack, id }) => `${type} ${stack.replace(`fedmkt-${environment}-`, "")}/${id.slice(0, -8)}`)
    .sort();
}

describe("when an environment is destroyed", () => {
  it("dev leaves nothing", () => {
    expect(retained("dev")).toEqual([]);
  });

  it("prod leaves artefacts, adapters, specs, clients' private data, and the keys that open them", () => {
    expect(retained("prod")).toEqual([
      "AWS::KMS::Key client-harbour/PrivateKey",
      "AWS::KMS::Key state/ArtefactKey",
      "AWS::KMS::Key state/ControlKey",
      "AWS::S3::Bucket client-harbour/PrivateBucket",
      "AWS::S3::Bucket state/Artefacts",
      "AWS::S3::Bucket state/Control",
      "AWS::S3::Bucket state/Registry",
      // a bucket that stays keeps the policy that closes it
      "AWS::S3::BucketPolicy client-harbour/PrivateBucketPolicy",
      "AWS::S3::BucketPolicy state/ArtefactsPolicy",
      "AWS::S3::BucketPolicy state/ControlPolicy",
      "AWS::S3::BucketPolicy state/RegistryPolicy",
    ]);
  });

  it("no function has to empty buckets: the command that destroys does so before", () => {
    for (const template of Object.values(synthesizeTemplates()))
      expect(JSON.stringify(template.toJSON())).not.toContain("Custom::");
  });
});
