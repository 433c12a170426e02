import { CfnCondition, CfnParameter, Fn, type ICfnConditionExpression, type IResolvable } from "aws-cdk-lib";
import { Construct } from "constructs";

/**
 * The one switch for what only a real account has: machines that come and go, budgets, flow logs. Its parameter
 * `UseCloudCapacity` is false under an emulator; everything behind it hangs on the condition `CloudCapacity`.
 */
export class CloudCapacity extends Construct {
  readonly condition: CfnCondition;

  /** @param wanted - where the account's capacity is not used in any case: when it is */
  constructor(scope: Construct, wanted?: ICfnConditionExpression) {
    super(scope, "CloudCapacity");
    const parameter = new CfnParameter(this, "Parameter", {
      type: "String",
      default: "true",
      allowedValues: ["true", "false"],
      description: "false where no account stands behind the endpoint: no GPU machines, scaling, budgets and flow logs",
    });
    // a name of its own: a parameter's must be unique in its template
    parameter.overrideLogicalId("UseCloudCapacity");
    const isThere = Fn.conditionEquals(parameter, "true");
    const expression = wanted ? Fn.conditionAnd(isThere, wanted) : isThere;
    this.condition = new CfnCondition(this, "Condition", { expression });
    this.condition.overrideLogicalId("CloudCapacity");
  }

  /** One value with capacity, another without. */
  either(withCapacity: unknown, without: unknown): IResolvable {
    return Fn.conditionIf(this.condition.logicalId, withCapacity, without) as unknown as IResolvable;
  }
}
