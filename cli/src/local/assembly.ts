import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { evaluator, PSEUDO_PARAMETERS, type Resource, type Template } from "./cloudformation.ts";

export const REGION = String(PSEUDO_PARAMETERS["AWS::Region"]);
export const ACCOUNT = String(PSEUDO_PARAMETERS["AWS::AccountId"]);

/** A resource of the cloud assembly under its local name, its properties free of intrinsic functions. */
export interface LocalResource {
  /** `<stack>/<logical id>` */
  id: string;
  type: string;
  /** the physical name: bucket, queue, function, machine … */
  name: string;
  arn: string;
  /** the folder of the stack's templates and assets */
  folder: string;
  properties: Record<string, unknown>;
}

export interface Assembly {
  resources: LocalResource[];
  /** by stack, then output name */
  outputs: Record<string, Record<string, string>>;
}

/** A template that is made a stack of under other names, as often as it is asked for. */
export interface StackCopy {
  /** name of the stack in the assembly, which itself is not brought to life */
  template: string;
  /** the new stack's name */
  stack: string;
  parameters: Record<string, string>;
}

export interface AssemblyOptions {
  /** for every stack that has a parameter of this name */
  parameters?: Record<string, string>;
  copies?: readonly StackCopy[];
}

interface Stack {
  name: string;
  folder: string;
  template: Template;
  parameters: Record<string, string>;
}

/**
 * Reads a CDK cloud assembly: every stack's template, its references resolved to local names, stacks importing from each other.
 *
 * @param folder - cdk.out, with its manifest.json; nested assemblies (CDK stages) are read too
 * @param queueUrl - a queue's URL by its name
 * @throws InvalidInputError `ASSEMBLY_MISSING` (also where a template is missing that copies are asked of), `TEMPLATE_REFERENCE`, `TEMPLATE_FUNCTION`
 */
export function readAssembly(
  folder: string,
  queueUrl: (name: string) => string,
  options: AssemblyOptions = {},
): Assembly {
  const stacks = withCopies(readStacks(folder), folder, options);
  const resources: LocalResource[] = [];
  const outputs: Assembly["outputs"] = {};
  const exported = new Map<string, () => unknown>();
  const lazily = stacks.map((stack) => {
    const own = stack.template.Resources ?? {};
    const names = new Map<string, string>();
    const nameOf = (id: string): string => {
      if (!names.has(id)) names.set(id, physicalName(stack.name, id, own[id]!, evaluate));
      return names.get(id)!;
    };
    const evaluate = evaluator(stack.name, stack.template, stack.parameters, {
      ref: (id) => (own[id] ? refOf(own[id].Type, nameOf(id), queueUrl) : undefined),
      attribute: (id, attribute) => (own[id] ? attributeOf(own[id].Type, nameOf(id), attribute, queueUrl) : undefined),
      imported: (name) => exported.get(name)?.(),
    });
    for (const output of outputsOf(stack.template, evaluate).values()) {
      if (output.Export) exported.set(String(evaluate(output.Export.Name)), () => evaluate(output.Value));
    }
    return { stack, own, nameOf, evaluate };
  });
  for (const { stack, own, nameOf, evaluate } of lazily) {
    for (const [id, resource] of Object.entries(own)) {
      if (!EMULATED_TYPES.has(resource.Type)) continue;
      if (resource.Condition && evaluate({ Condition: resource.Condition }) !== true) continue;
      const name = nameOf(id);
      const properties = evaluate(resource.Properties ?? {}) as Record<string, unknown>;
      resources.push({
        id: `${stack.name}/${id}`,
        type: resource.Type,
        name,
        arn: arnOf(resource.Type, name),
        folder: stack.folder,
        properties,
      });
    }
    outputs[stack.name] = Object.fromEntries(
      [...outputsOf(stack.template, evaluate)].map(([key, output]) => [key, String(evaluate(output.Value))]),
    );
  }
  return { resources, outputs };
}

/** Only these are brought to life; everything else (roles, networks, alarms …) is referred to by name and otherwise left alone. */
const EMULATED_TYPES = new Set([
  "AWS::S3::Bucket",
  "AWS::SQS::Queue",
  "AWS::Lambda::Function",
  "AWS::Lambda::EventSourceMapping",
  "AWS::StepFunctions::StateMachine",
  "AWS::ECS::Cluster",
  "AWS::ECS::TaskDefinition",
  "AWS::Events::Rule",
]);

/** The outputs whose condition holds. */
function outputsOf({ Outputs = {} }: Template, evaluate: (value: unknown) => unknown) {
  const holds = (condition: string | undefined) =>
    condition === undefined || evaluate({ Condition: condition }) === true;
  return new Map(Object.entries(Outputs).filter(([, { Condition }]) => holds(Condition)));
}

/** Each template that can be copied as often as it is asked for; the others once. */
function withCopies(
  templates: readonly Omit<Stack, "parameters">[],
  folder: string,
  { parameters = {}, copies = [] }: AssemblyOptions,
): Stack[] {
  const known = (template: Template, given: Record<string, string>) =>
    Object.fromEntries(Object.entries(given).filter(([name]) => template.Parameters?.[name] !== undefined));
  const copied = copies.map((copy) => {
    const found = templates.find(({ name }) => name === copy.template);
    if (!found)
      throw new InvalidInputError("ASSEMBLY_MISSING", `${folder}: expected the template ${copy.template} in it`);
    return {
      ...found,
      name: copy.stack,
      parameters: { ...known(found.template, parameters), ...copy.parameters },
    };
  });
  const plain = templates
    .filter(({ template }) => !needsParameters(template))
    .map((stack) => ({ ...stack, parameters: known(stack.template, parameters) }));
  return [...plain, ...copied];
}

/** Whether a stack can be made of a template only by saying something. */
function needsParameters({ Parameters = {} }: Template): boolean {
  return Object.values(Parameters).some(({ Default }) => Default === undefined);
}

function readStacks(folder: string): Omit<Stack, "parameters">[] {
  const manifestPath = path.join(folder, "manifest.json");
  if (!existsSync(manifestPath))
    throw new InvalidInputError("ASSEMBLY_MISSING", `${folder}: expected a cloud assembly with a manifest.json`);
  const { artifacts = {} } = JSON.parse(readFileSync(manifestPath, "utf8")) as {
    artifacts?: Record<
      string,
      { type: string; properties?: { templateFile?: string; stackName?: string; directoryName?: string } }
    >;
  };
  return Object.entries(artifacts).flatMap(([id, { type, properties }]) => {
    if (type === "cdk:cloud-assembly") return readStacks(path.join(folder, properties!.directoryName!));
    if (type !== "aws:cloudformation:stack") return [];
    const template = JSON.parse(readFileSync(path.join(folder, properties!.templateFile!), "utf8")) as Template;
    return [{ name: properties?.stackName ?? id, folder, template }];
  });
}

const NAME_PROPERTIES: Record<string, string> = {
  "AWS::S3::Bucket": "BucketName",
  "AWS::SQS::Queue": "QueueName",
  "AWS::Lambda::Function": "FunctionName",
  "AWS::StepFunctions::StateMachine": "StateMachineName",
  "AWS::ECS::TaskDefinition": "Family",
  "AWS::ECS::Cluster": "ClusterName",
};

/** The template's own name, else `<stack>-<logical id>`; equal on every start, so that a run's files are found again. */
function physicalName(stack: string, id: string, resource: Resource, evaluate: (value: unknown) => unknown): string {
  const property = NAME_PROPERTIES[resource.Type];
  const given = property && resource.Properties?.[property];
  if (given) return String(evaluate(given));
  const name = `${stack}-${id}`;
  if (resource.Type !== "AWS::S3::Bucket") return name.slice(0, 80);
  const bucket = name.toLowerCase().replace(/[^a-z0-9-]/g, "-");
  if (bucket.length <= 63) return bucket; // S3's limit
  return `${bucket.slice(0, 54)}-${createHash("sha256").update(bucket).digest("hex").slice(0, 8)}`;
}

function arnOf(type: string, name: string): string {
  const arn = (service: string, rest: string) => `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest}`;
  switch (type) {
    case "AWS::S3::Bucket":
      return `arn:aws:s3:::${name}`;
    case "AWS::SQS::Queue":
      return arn("sqs", name);
    case "AWS::Lambda::Function":
      return arn("lambda", `function:${name}`);
    case "AWS::StepFunctions::StateMachine":
      return arn("states", `stateMachine:${name}`);
    case "AWS::ECS::TaskDefinition":
      return arn("ecs", `task-definition/${name}:1`);
    case "AWS::ECS::Cluster":
      return arn("ecs", `cluster/${name}`);
    default:
      return arn("local", `${type.replaceAll("::", "-")}/${name}`);
  }
}

function refOf(type: string, name: string, queueUrl: (name: string) => string): string {
  if (type === "AWS::SQS::Queue") return queueUrl(name);
  if (type === "AWS::StepFunctions::StateMachine" || type === "AWS::ECS::TaskDefinition") return arnOf(type, name);
  return name;
}

function attributeOf(type: string, name: string, attribute: string, queueUrl: (name: string) => string): string {
  if (/Arn$/.test(attribute)) return arnOf(type, name);
  if (attribute === "QueueUrl") return queueUrl(name);
  if (/Name$/.test(attribute)) return name;
  return `${name}.${attribute}`;
}
