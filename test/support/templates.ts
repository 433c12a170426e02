import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Template } from "aws-cdk-lib/assertions";
import { buildApp } from "../../cdk/lib/synthesize.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type State = { [key: string]: Json } & { Type: string };

/** Both stacks' templates, without bundling the functions. */
export function synthesizeTemplates(): { state: Template; pipeline: Template } {
  const { state, pipeline } = buildApp({ bundle: false, outdir: mkdtempSync(path.join(tmpdir(), "fedmkt-cdk-")) });
  return { state: Template.fromStack(state), pipeline: Template.fromStack(pipeline) };
}

/** A machine's definition as ASL, every CloudFormation reference written as an ARN or a name. */
export function definitionOf(
  pipeline: Template,
  name: "run" | "round",
): { StartAt: string; States: Record<string, State> } {
  const prefix = name === "run" ? "RunMachine" : "RoundMachine";
  const machines = pipeline.findResources("AWS::StepFunctions::StateMachine");
  const [, machine] = Object.entries(machines).find(([id]) => id.startsWith(prefix))!;
  return JSON.parse(resolved(machine.Properties.DefinitionString));
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

function resolved(value: { "Fn::Join": [string, (string | Record<string, Json>)[]] }): string {
  return value["Fn::Join"][1].map((part) => (typeof part === "string" ? part : referenced(part))).join("");
}

function referenced(reference: Record<string, Json>): string {
  if (reference.Ref === "AWS::Partition") return "aws";
  const [id] = [reference.Ref ?? reference["Fn::GetAtt"] ?? reference["Fn::ImportValue"]].flat();
  return `arn:aws:any:us-east-1:000000000000:${String(id)}`;
}
