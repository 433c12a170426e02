import { CfnResource, Stack, Validations } from "aws-cdk-lib";
import { CfnManagedPolicy, CfnPolicy, CfnRole } from "aws-cdk-lib/aws-iam";
import type { IConstruct } from "constructs";

/**
 * Says why rules of cdk-nag do not hold for a construct and what is below it. Read by cdk-nag's checks, which run as tests; written
 * with CDK's own means, so that nothing deployed needs cdk-nag.
 *
 * @param reasons - by rule, e.g. `AwsSolutions-S1`
 */
export function acknowledge(construct: IConstruct, reasons: Record<string, string>): void {
  for (const [id, reason] of Object.entries(reasons)) Validations.of(construct).acknowledge({ id, reason });
}

export interface WildcardReason {
  /**
   * of a finding, as cdk-nag writes it: `Resource::<LogicalId.Arn>/runs/*` or `Action::s3:*`; a text is one resource in full, and
   * may hold references
   */
  matching: RegExp | string;
  reason: string;
}

const WILDCARD_RULE = "AwsSolutions-IAM5";

/**
 * Says why the policies of a construct may name several resources at once. cdk-nag wants every single one of them acknowledged by
 * its text in the finished template, which is known only at the end of synthesis, when references between stacks are written.
 *
 * A wildcard that no pattern matches stays a finding.
 */
export function explainWildcards(construct: IConstruct, reasons: WildcardReason[]): void {
  construct.node.addValidation({
    validate() {
      for (const policy of construct.node.findAll())
        for (const finding of wildcardsOf(policy)) {
          const found = reasons.find(({ matching }) =>
            matching instanceof RegExp
              ? matching.test(finding)
              : finding === `Resource::${flattened(Stack.of(policy).resolve(matching))}`,
          );
          if (found) acknowledge(policy, { [`${WILDCARD_RULE}[${finding}]`]: found.reason });
        }
      return [];
    },
  });
}

interface Statement {
  Effect: string;
  Action?: string | string[];
  Resource?: unknown;
}

/** Every action and resource with a star in it that a policy resource allows. */
function wildcardsOf(resource: IConstruct): string[] {
  if (!CfnResource.isCfnResource(resource)) return [];
  const stack = Stack.of(resource);
  const documents: { Statement?: Statement[] }[] =
    resource instanceof CfnPolicy || resource instanceof CfnManagedPolicy
      ? [stack.resolve(resource.policyDocument)]
      : resource instanceof CfnRole
        ? (stack.resolve(resource.policies) ?? []).map((policy: { policyDocument: unknown }) =>
            stack.resolve(policy.policyDocument),
          )
        : [];
  return documents
    .flatMap(({ Statement: statements }) => statements ?? [])
    .filter(({ Effect }) => Effect === "Allow")
    .flatMap(({ Action, Resource }) => [
      ...[Action].flat().map((action) => `Action::${action}`),
      ...[Resource].flat().map((one) => `Resource::${flattened(one)}`),
    ])
    .filter((finding) => finding.includes("*"));
}

/** A reference of CloudFormation in one line, as cdk-nag writes it. */
function flattened(value: unknown): string {
  if (value === undefined) return "";
  if (typeof value === "string") return value.replaceAll("${", "<").replaceAll("}", ">");
  const one = value as Record<string, unknown>;
  if (one["Fn::Join"]) {
    const [separator, parts] = one["Fn::Join"] as [string, unknown[]];
    return parts.map(flattened).join(separator);
  }
  if (one["Fn::Sub"]) return flattened(one["Fn::Sub"]);
  if (one["Fn::GetAtt"]) return `<${(one["Fn::GetAtt"] as string[]).map(flattened).join(".")}>`;
  if (one["Fn::ImportValue"]) return flattened(one["Fn::ImportValue"]);
  if (one.Ref) return `<${flattened(one.Ref)}>`;
  return JSON.stringify(value);
}
