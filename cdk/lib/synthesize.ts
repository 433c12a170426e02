import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  contextName,
  INFERENCE_CHOICE,
  type InferenceChoice,
  inferenceSettings,
} from "@fedmkt/shared/contracts/inference-settings.ts";
import { App, type AppProps } from "aws-cdk-lib";
import { ClientStack } from "./client-stack.ts";
import { deploymentSettings } from "./deployment-settings.ts";
import { InferenceStack } from "./inference-stack.ts";
import { PipelineStack } from "./pipeline-stack.ts";
import { SiteStack } from "./site-stack.ts";
import { StateStack } from "./state-stack.ts";

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
  /** `dev` or `prod`; the context `environment` unless given, else `dev` */
  environment?: string;
  /** what tasks compute on, `gpu` or `cpu`; the context `workers` unless given, else as the environment has it */
  workers?: string;
  /** a stack for each of them; the context `clients` unless given, else none */
  clients?: readonly string[];
  /** whether the template for any client is there too: it deploys by CloudFormation alone; the context `clientTemplate` unless given */
  clientTemplate?: boolean;
  /** the workers' image: its name in a registry, or `build` it while deploying; the context `workerImage` unless given, else see workerImage */
  workerImage?: string;
  /** an inference endpoint, where a model is named; the context's `inferenceModel` and so on unless given */
  inference?: InferenceChoice;
}

export interface BuiltApp {
  app: App;
  state: StateStack;
  pipeline: PipelineStack;
  clients: ClientStack[];
  clientTemplate?: ClientStack;
  /** absent where no model is named */
  inference?: InferenceStack;
}

/**
 * Builds the app and writes its cloud assembly: the stacks' templates and the functions' bundle.
 *
 * Environment-agnostic: no account, no region, no look-up, so that it needs neither credentials nor network.
 * @returns the folder that holds `fedmkt-<environment>-state.template.json` and the like, and the assets
 */
export function synthesize(options: SynthesizeOptions = {}): string {
  return buildApp(options).app.synth().directory;
}

/** The app before synthesis, for assertions on its stacks. */
export function buildApp(options: SynthesizeOptions = {}): BuiltApp {
  const app = new App(appProps(options));
  const settings = settingsOf(app, options);
  const { names } = settings;
  const state = new StateStack(app, names.stateStack, { settings });
  const pipeline = new PipelineStack(app, names.pipelineStack, {
    settings,
    state,
    workerImage: options.workerImage ?? app.node.tryGetContext("workerImage"),
  });
  const clients = (options.clients ?? listOf(app.node.tryGetContext("clients"))).map((client) => {
    const stack = new ClientStack(app, names.clientStack(client), { settings, client });
    stack.addStackDependency(pipeline, "it imports by name what the pipeline exports");
    return stack;
  });
  const wanted = options.clientTemplate ?? String(app.node.tryGetContext("clientTemplate")) === "true";
  const clientTemplate = wanted
    ? new ClientStack(app, `fedmkt-${settings.environment}-client`, { settings })
    : undefined;
  clientTemplate?.addStackDependency(pipeline, "it imports by name what the pipeline exports");
  const served = inferenceSettings(settings.environment, options.inference ?? inferenceChoice(app));
  const inference =
    served === null ? undefined : new InferenceStack(app, names.endpoint(served.name), { settings, inference: served });
  inference?.addStackDependency(pipeline, "it imports by name what the others export");
  return { app, state, pipeline, clients, clientTemplate, inference };
}

/**
 * The stack of a silo's own account, in an assembly of its own: it is deployed there by parameters alone.
 * @returns the folder that holds `fedmkt-<environment>-site.template.json`
 */
export function synthesizeSite(options: Pick<SynthesizeOptions, "outdir" | "environment" | "validate"> = {}): string {
  return buildSite(options).app.synth().directory;
}

/** The app of the silo's stack before synthesis. */
export function buildSite(options: Pick<SynthesizeOptions, "outdir" | "environment" | "validate"> = {}): {
  app: App;
  site: SiteStack;
} {
  const app = new App(appProps(options));
  const settings = settingsOf(app, options);
  return { app, site: new SiteStack(app, `fedmkt-${settings.environment}-site`, { settings }) };
}

function appProps(options: SynthesizeOptions): AppProps {
  return {
    outdir: options.outdir,
    analyticsReporting: false,
    treeMetadata: false,
    builtinCloudFormationValidation: options.validate ?? process.env.CDK_CLI_VERSION !== undefined,
    context: { ...houseContext(), ...(options.bundle === false ? { "aws:cdk:bundling-stacks": [] } : {}) },
  };
}

function settingsOf(app: App, options: Pick<SynthesizeOptions, "environment" | "workers">) {
  const context = (name: string) => app.node.tryGetContext(name) as string | undefined;
  return deploymentSettings({
    environment: options.environment ?? context("environment"),
    workers: options.workers ?? context("workers"),
    alarmEmail: context("alarmEmail"),
  });
}

function inferenceChoice(app: App): InferenceChoice {
  return Object.fromEntries(INFERENCE_CHOICE.map((name) => [name, app.node.tryGetContext(contextName(name))]));
}

/** `a,b` as the CDK CLI hands it over. */
function listOf(context: string | undefined): string[] {
  return (context ?? "").split(",").filter((name) => name !== "");
}

/** cdk.json's feature flags, also where the app is not started by the CDK CLI: one template, whoever synthesizes it. */
function houseContext(): Record<string, unknown> {
  return JSON.parse(readFileSync(fileURLToPath(new URL("../../cdk.json", import.meta.url)), "utf8")).context;
}
