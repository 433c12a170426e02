import { Aws, RemovalPolicy } from "aws-cdk-lib";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
import { HouseKey } from "./house-key.ts";

/** Who speaks here: alarms, and the budget. */
const PUBLISHERS = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"];

/**
 * Where alarms go: encrypted, TLS only. With a key of its own, since the services that publish must be let use it, and they have no
 * business with the key of the data.
 */
export class AlarmTopic extends Construct {
  readonly topic: Topic;

  constructor(scope: Construct, id: string, { settings }: { settings: DeploymentSettings }) {
    super(scope, id);
    const key = new HouseKey(this, "Key", {
      settings,
      description: "FedMKT: messages of alarms",
      removalPolicy: RemovalPolicy.DESTROY, // it encrypts messages on their way, nothing that lasts
    });
    this.topic = new Topic(this, "Topic", { topicName: settings.names.alarmTopic, masterKey: key, enforceSSL: true });
    const publishers = PUBLISHERS.map((service) => new ServicePrincipal(service));
    key.addToResourcePolicy(
      new PolicyStatement({
        principals: publishers,
        actions: ["kms:Decrypt", "kms:GenerateDataKey"],
        resources: ["*"], // in a key's policy: this key
      }),
    );
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        principals: publishers,
        actions: ["sns:Publish"],
        resources: [this.topic.topicArn],
        conditions: { StringEquals: { "aws:SourceAccount": Aws.ACCOUNT_ID } },
      }),
    );
    if (settings.alarmEmail) this.topic.addSubscription(new EmailSubscription(settings.alarmEmail));
  }
}
