import { CfnCondition, CfnParameter, Fn, type ICfnConditionExpression, type IResolvable } from "aws-cdk-lib";
import { Construct } from "constructs";

/**
 * The one switch for what only a real account has: machines that come and go, budgets, flow logs. Its parameter
 * `CloudCapacity` is false under an emulator; everything behind it hangs on its condition.
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
    parameter.overrideLogicalId("CloudCapacity");
    const isThere = Fn.conditionEquals(parameter, "true");
    const expression = wanted ? Fn.conditionAnd(isThere, wanted) : isThere;
    this.condition = new CfnCondition(this, "Condition", { expression });
    // a name of its own: a parameter's name must be unique in its template
    this.condition.overrideLogicalId("HasCloudCapacity");
  }

  /** One value with capacity, another without. */
  either(withCapacity: unknown, without: unknown): IResolvable {
    return Fn.conditionIf(this.condition.logicalId, withCapacity, without) as unknown as IResolvable;
  }
}
