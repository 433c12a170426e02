import { evaluator, type References, type Template } from "../../cli/src/local/cloudformation.ts";

/** A resource as CloudFormation would make it: conditions decided, properties free of intrinsic functions. */
export interface DeployedResource {
  stack: string;
  id: string;
  type: string;
  arn: string;
  properties: Record<string, unknown>;
  deletionPolicy: string;
}

/** One stack to be made of a template. */
export interface StackToDeploy {
  template: object;
  parameters?: Record<string, string>;
}

const NAMES: Record<string, string> = {
  "AWS::S3::Bucket": "BucketName",
  "AWS::SQS::Queue": "QueueName",
  "AWS::IAM::Role": "RoleName",
  "AWS::ECS::Cluster": "ClusterName",
  "AWS::StepFunctions::StateMachine": "StateMachineName",
  "AWS::ECS::TaskDefinition": "Family",
  "AWS::Logs::LogGroup": "LogGroupName",
  "AWS::SecretsManager::Secret": "Name",
};

const ARNS: Record<string, (account: string, name: string) => string> = {
  "AWS::S3::Bucket": (_, name) => `arn:aws:s3:::${name}`,
  "AWS::SQS::Queue": (account, name) => `arn:aws:sqs:us-east-1:${account}:${name}`,
  "AWS::IAM::Role": (account, name) => `arn:aws:iam::${account}:role/${name}`,
  "AWS::KMS::Key": (account, name) => `arn:aws:kms:us-east-1:${account}:key/${name}`,
  "AWS::ECS::Cluster": (account, name) => `arn:aws:ecs:us-east-1:${account}:cluster/${name}`,
  "AWS::Lambda::Function": (account, name) => `arn:aws:lambda:us-east-1:${account}:function:${name}`,
  "AWS::StepFunctions::StateMachine": (account, name) => `arn:aws:states:us-east-1:${account}:stateMachine:${name}`,
  // Secrets Manager puts six characters of its own behind a name
  "AWS::SecretsManager::Secret": (account, name) => `arn:aws:secretsmanager:us-east-1:${account}:secret:${name}-0f3C0f`,
};
/** Types whose `Ref` is their ARN. */
const REFERRED_BY_ARN = ["AWS::StepFunctions::StateMachine", "AWS::SecretsManager::Secret"];
const ACCOUNT = "000000000000";

/**
 * What stacks consist of once deployed, those that others import from first.
 * @returns every resource whose condition holds
 */
export function deployStacks(stacks: Record<string, StackToDeploy>): DeployedResource[] {
  const exported = new Map<string, unknown>();
  return Object.entries(stacks).flatMap(([stack, { template: given, parameters = {} }]) => {
    const template = given as Template & { Resources: Record<string, { DeletionPolicy?: string }> };
    const own = template.Resources!;
    const nameOf = (id: string): string => {
      const property = own[id].Properties?.[NAMES[own[id].Type] ?? ""];
      return property === undefined ? `${stack}-${id}` : String(evaluate(property));
    };
    const arnOf = (id: string): string =>
      ARNS[own[id].Type]?.(ACCOUNT, nameOf(id)) ?? `arn:aws:any:us-east-1:${ACCOUNT}:${nameOf(id)}`;
    const references: References = {
      ref: (id) => {
        if (own[id] === undefined) return undefined;
        if (own[id].Type === "AWS::SQS::Queue") return `https://sqs.us-east-1.amazonaws.com/${ACCOUNT}/${nameOf(id)}`;
        return REFERRED_BY_ARN.includes(own[id].Type) ? arnOf(id) : nameOf(id);
      },
      attribute: (id, attribute) => {
        if (own[id] === undefined) return undefined;
        return attribute === "Arn" || attribute.endsWith("Arn") ? arnOf(id) : nameOf(id);
      },
      imported: (name) => exported.get(name),
    };
    const evaluate = evaluator(stack, template, parameters, references);
    const exists = (part: { Condition?: string }) =>
      part.Condition === undefined || evaluate({ Condition: part.Condition }) === true;
    for (const output of Object.values(template.Outputs ?? {}))
      if (output.Export && exists(output)) exported.set(String(evaluate(output.Export.Name)), evaluate(output.Value));
    return Object.entries(own)
      .filter(([, resource]) => exists(resource))
      .map(([id, resource]) => ({
        stack,
        id,
        type: resource.Type,
        arn: arnOf(id),
        properties: evaluate(resource.Properties ?? {}) as Record<string, unknown>,
        deletionPolicy: resource.DeletionPolicy ?? "Delete",
      }));
  });
}
