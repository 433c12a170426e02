import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { Key, type KeyProps } from "aws-cdk-lib/aws-kms";
import type { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";

/** A key that rotates every year; where the environment retains, it outlives its stack, as what it encrypts does. */
export class HouseKey extends Key {
  constructor(scope: Construct, id: string, props: { settings: DeploymentSettings } & KeyProps) {
    const { settings, ...more } = props;
    super(scope, id, {
      enableKeyRotation: true,
      pendingWindow: Duration.days(settings.keyDeletionDays),
      removalPolicy: settings.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      ...more,
    });
  }
}
