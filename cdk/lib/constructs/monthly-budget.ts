import { CfnBudget } from "aws-cdk-lib/aws-budgets";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import type { CloudCapacity } from "./cloud-capacity.ts";
import { standUnder } from "./stand-under.ts";

/** Of the month's dollars, at which a message is sent. */
const WARN_AT_PERCENT = [80, 100];

export interface MonthlyBudgetProps {
  name: string;
  dollars: number;
  capacity: CloudCapacity;
  topic: ITopic;
}

/**
 * What the account may cost a month. Of the whole account, not of this deployment's tag: a tag counts only once somebody has
 * activated it for billing, and until then such a budget would see nothing and stay silent.
 */
export class MonthlyBudget extends Construct {
  constructor(scope: Construct, id: string, { name, dollars, capacity, topic }: MonthlyBudgetProps) {
    super(scope, id);
    standUnder(capacity.condition, this);
    const budget = new CfnBudget(this, "Budget", {
      budget: {
        budgetName: name,
        budgetType: "COST",
        timeUnit: "MONTHLY",
        budgetLimit: { amount: dollars, unit: "USD" },
      },
      notificationsWithSubscribers: WARN_AT_PERCENT.map((threshold) => ({
        notification: {
          notificationType: "ACTUAL",
          comparisonOperator: "GREATER_THAN",
          threshold,
          thresholdType: "PERCENTAGE",
        },
        subscribers: [{ subscriptionType: "SNS", address: topic.topicArn }],
      })),
    });
    // the topic's policy too: Budgets refuses a topic that it may not tell anything
    budget.node.addDependency(topic);
  }
}
