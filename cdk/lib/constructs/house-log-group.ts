import { RemovalPolicy } from "aws-cdk-lib";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";

/** A log group that forgets after the environment's time and goes with its stack. */
export function houseLogGroup(
  scope: Construct,
  id: string,
  settings: DeploymentSettings,
  logGroupName?: string,
): LogGroup {
  return new LogGroup(scope, id, {
    logGroupName,
    retention: settings.logRetention,
    removalPolicy: RemovalPolicy.DESTROY,
  });
}
