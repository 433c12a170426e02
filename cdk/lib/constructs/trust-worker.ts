import { type CfnCondition, Fn } from "aws-cdk-lib";
import type { CfnRole, Role } from "aws-cdk-lib/aws-iam";

/** Whoever else than a task of this account may take a role, each where its condition holds. */
export interface TrustedWorker {
  principalArn: string;
  hasPrincipal: CfnCondition;
  /** must be named, where given */
  externalId?: { value: string; isGiven: CfnCondition };
}

/** Adds a second statement to a role's trust, and in it a condition, both only where their parameters are given. */
export function trustWorker(role: Role, worker: TrustedWorker): void {
  const noValue = { Ref: "AWS::NoValue" };
  const { externalId } = worker;
  const statement = {
    Effect: "Allow",
    Action: "sts:AssumeRole",
    Principal: { AWS: worker.principalArn },
    ...(externalId && {
      Condition: Fn.conditionIf(
        externalId.isGiven.logicalId,
        { StringEquals: { "sts:ExternalId": externalId.value } },
        noValue,
      ),
    }),
  };
  (role.node.defaultChild as CfnRole).addPropertyOverride(
    "AssumeRolePolicyDocument.Statement.1",
    Fn.conditionIf(worker.hasPrincipal.logicalId, statement, noValue),
  );
}
