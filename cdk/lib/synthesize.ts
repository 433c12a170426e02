import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { App } from "aws-cdk-lib";
import { PipelineStack } from "./pipeline-stack.ts";
import { StateStack } from "./state-stack.ts";

const STATE_STACK = "FedmktState";
const PIPELINE_STACK = "FedmktPipeline";

export interface SynthesizeOptions {
  /** the cloud assembly's folder; the CDK CLI's `CDK_OUTDIR` unless given, else a temporary one */
  outdir?: string;
  /** false: functions are not bundled (their asset is the source folder); for tests of templates alone */
  bundle?: boolean;
  /**
   * whether CDK checks the templates against CloudFormation's rules, which takes some seconds; by default where the CDK CLI
   * asks for them, to deploy them, and not for a local run
   */
  validate?: boolean;
}

/**
 * Builds the app and writes its cloud assembly: both templates and the functions' bundle.
 *
 * Environment-agnostic: no account, no region, no look-up, so that it needs neither credentials nor network.
 * @returns the folder that holds `FedmktState.template.json`, `FedmktPipeline.template.json` and the assets
 */
export function synthesize(options: SynthesizeOptions = {}): string {
  return buildApp(options).app.synth().directory;
}

/** The app before synthesis, for assertions on its stacks. */
export function buildApp(options: SynthesizeOptions = {}): { app: App; state: StateStack; pipeline: PipelineStack } {
  const app = new App({
    outdir: options.outdir,
    analyticsReporting: false,
    treeMetadata: false,
    builtinCloudFormationValidation: options.validate ?? process.env.CDK_CLI_VERSION !== undefined,
    context: { ...houseContext(), ...(options.bundle === false ? { "aws:cdk:bundling-stacks": [] } : {}) },
  });
  const state = new StateStack(app, STATE_STACK);
  const pipeline = new PipelineStack(app, PIPELINE_STACK, { state });
  return { app, state, pipeline };
}

/** cdk.json's feature flags, also where the app is not started by the CDK CLI: one template, whoever synthesizes it. */
function houseContext(): Record<string, unknown> {
  return JSON.parse(readFileSync(fileURLToPath(new URL("../../cdk.json", import.meta.url)), "utf8")).context;
}
