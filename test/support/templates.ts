import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Template } from "aws-cdk-lib/assertions";
import { type BuiltApp, buildApp, buildSite } from "../../cdk/lib/synthesize.ts";
import { type DeployedResource, deployStacks } from "./deployed-stacks.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type State = { [key: string]: Json } & { Type: string };

export interface Templates {
  state: Template;
  pipeline: Template;
  /** of any client: its parameter `Client` says of which */
  client: Template;
  /** of a silo's own account */
  site: Template;
}

/** All stacks' templates, without bundling the functions. */
export function synthesizeTemplates(environment: "dev" | "prod" = "dev"): Templates {
  const outdir = () => mkdtempSync(path.join(tmpdir(), "fedmkt-cdk-"));
  const built: BuiltApp = buildApp({ bundle: false, outdir: outdir(), environment, clientTemplate: true });
  return {
    state: Template.fromStack(built.state),
    pipeline: Template.fromStack(built.pipeline),
    client: Template.fromStack(built.clientTemplate!),
    site: Template.fromStack(buildSite({ outdir: outdir(), environment }).site),
  };
}

/** A deployment of two clients, without a real account's capacity unless asked for. */
export function deployTemplates(
  { state, pipeline, client }: Templates,
  parameters: Record<string, string> = {},
  environment = "dev",
): DeployedResource[] {
  const withCapacity = { UseCloudCapacity: "false", ...parameters };
  const ofClient = (id: string) => ({ template: client.toJSON(), parameters: { Client: id, ...withCapacity } });
  return deployStacks({
    [`fedmkt-${environment}-state`]: { template: state.toJSON() },
    [`fedmkt-${environment}-pipeline`]: { template: pipeline.toJSON(), parameters: withCapacity },
    [`fedmkt-${environment}-client-harbour`]: ofClient("harbour"),
    [`fedmkt-${environment}-client-forest`]: ofClient("forest"),
  });
}

/** A deployed machine's definition. */
export function definitionOf(deployed: readonly DeployedResource[], name: "run" | "round"): Definition {
  const machine = deployed.find(({ arn }) => arn.endsWith(`:stateMachine:fedmkt-dev-${name}`))!;
  return JSON.parse(String(machine.properties.DefinitionString));
}

export interface Definition {
  StartAt: string;
  States: Record<string, State>;
  TimeoutSeconds: number;
}

/** Every state of a definition by name, those inside Map and Parallel states too. */
export function statesOf(definition: { States: Record<string, State> }): [string, State][] {
  return Object.entries(definition.States).flatMap(([name, state]) => {
    const inner = [state.ItemProcessor, ...((state.Branches as Json[]) ?? [])].filter(Boolean);
    return [[name, state] as [string, State], ...inner.flatMap((part) => statesOf(part as never))];
  });
}

/** Every resource's properties of one type, by logical id. */
export function propertiesOf(template: Template, type: string): [string, Record<string, Json>][] {
  return Object.entries(template.findResources(type)).map(([id, resource]) => [id, resource.Properties]);
}
