import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { deploymentNames, ENVIRONMENTS, type EnvironmentName } from "@fedmkt/shared/contracts/deployment.ts";
import type { InferenceChoice } from "@fedmkt/shared/contracts/inference-settings.ts";
import { buildApp, buildSite } from "../../cdk/lib/synthesize.ts";
import { summarizeStack } from "./summarize-stack.ts";
import { type StackTemplate, TemplateText } from "./template-text.ts";

/**
 * The one-page summary of every stack of every environment, by the stack's name; a client's is that of any client, an endpoint's that of
 * one on GPU machines with what it has unless said.
 */
export function summarizeApp(): Map<string, string> {
  return new Map(ENVIRONMENTS.flatMap((environment) => [...summarizeEnvironment(environment)]));
}

function summarizeEnvironment(environment: EnvironmentName): Map<string, string> {
  const folder = mkdtempSync(path.join(tmpdir(), "fedmkt-summaries-"));
  try {
    const options = { environment, bundle: false, outdir: path.join(folder, "coordinator") };
    const { app, state, pipeline, clientTemplate, inference } = buildApp({
      ...options,
      clientTemplate: true,
      inference: someEndpoint(environment),
    });
    app.synth();
    const { app: siteApp, site } = buildSite({ environment, outdir: path.join(folder, "site") });
    siteApp.synth();
    const templates = new Map(
      [state, pipeline, clientTemplate!, inference!, site].map((stack) => [
        stack.stackName,
        JSON.parse(
          readFileSync(path.join(folder, stack === site ? "site" : "coordinator", stack.templateFile), "utf8"),
        ) as StackTemplate,
      ]),
    );
    const prefix = `fedmkt-${environment}-`;
    const exports = new Map<string, string>();
    for (const template of templates.values())
      for (const [name, value] of new TemplateText(template, prefix, exports).exports()) {
        exports.set(name, value);
        exports.set(name.replaceAll(prefix, ""), value);
      }
    return new Map([...templates].map(([name, template]) => [name, summarizeStack(name, template, prefix, exports)]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function someEndpoint(environment: EnvironmentName): InferenceChoice {
  const [account, region] = ["111122223333", "us-east-1"];
  const { bucket } = deploymentNames(environment);
  return {
    model: `s3://${bucket("public", account, region)}/models/base`,
    certificateArn: `arn:aws:acm:${region}:${account}:certificate/0f3c0f3c-0f3c-0f3c-0f3c-0f3c0f3c0f3c`,
  };
}
