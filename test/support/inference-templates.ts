import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Template } from "aws-cdk-lib/assertions";
import { type BuiltApp, buildApp } from "../../cdk/lib/synthesize.ts";
import type { InferenceChoice } from "../../shared/src/contracts/inference-settings.ts";
import { type DeployedResource, deployStacks } from "./deployed-stacks.ts";

const ACCOUNT = "000000000000";
/** As the deployment of `deployTemplates` calls its buckets. */
const bucket = (environment: string, name: string) => `fedmkt-${environment}-${name}-${ACCOUNT}-us-east-1`;

/** What an operator must say of an endpoint, and no more. */
export const inferenceChoice = (environment = "dev"): InferenceChoice & { model: string; certificateArn: string } => ({
  model: `s3://${bucket(environment, "public")}/models/smollm2-135m`,
  certificateArn: `arn:aws:acm:us-east-1:${ACCOUNT}:certificate/0f3c0f3c-0f3c-0f3c-0f3c-0f3c0f3c0f3c`,
});

/**
 * An app with an endpoint, without bundling the functions.
 * @param validate - whether CDK checks the templates against CloudFormation's rules, which takes a second
 */
export function buildInference(choice: InferenceChoice = {}, environment = "dev", validate = false): BuiltApp {
  const outdir = mkdtempSync(path.join(tmpdir(), "fedmkt-inference-"));
  const inference = { ...inferenceChoice(environment), ...choice };
  return buildApp({ bundle: false, outdir, environment, inference, clients: ["harbour"], validate });
}

/** The whole deployment, with a real account's capacity unless told otherwise. */
export function deployInference(
  { state, pipeline, clients, inference }: BuiltApp,
  parameters: Record<string, string> = { UseCloudCapacity: "true" },
): DeployedResource[] {
  return deployStacks(
    Object.fromEntries(
      [state, pipeline, ...clients, inference!].map((stack) => [
        stack.stackName,
        { template: Template.fromStack(stack).toJSON(), parameters },
      ]),
    ),
  );
}

/** Of the endpoint's own stack. */
export function resourcesOf(deployed: readonly DeployedResource[], type: string, name = "fedmkt-dev-inference") {
  return deployed.filter((one) => one.stack === name && one.type === type);
}
