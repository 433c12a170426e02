import { Duration } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import {
  Architecture,
  type Code,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  Tracing,
} from "aws-cdk-lib/aws-lambda";
import type { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
import { explainWildcards } from "./explain-finding.ts";
import { houseLogGroup } from "./house-log-group.ts";

export interface HouseFunctionProps {
  /** the folder of `functions/src` */
  name: string;
  code: Code;
  /** as the contract of environments has it */
  environment: object;
  settings: DeploymentSettings;
  timeout?: Duration;
  memoryMegabytes?: number;
}

/** A function with the house's defaults: Node 24 on arm64, its own role that may write its own log and nothing else, tracing. */
export class HouseFunction extends LambdaFunction {
  constructor(scope: Construct, id: string, props: HouseFunctionProps) {
    const logGroup = houseLogGroup(
      scope,
      `${id}Log`,
      props.settings,
      props.settings.names.functionLogGroup(props.name),
    );
    const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
    role.addToPolicy(
      new PolicyStatement({
        actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
        resources: [logGroup.logGroupArn],
      }),
    );
    super(scope, id, {
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: props.code,
      handler: `${props.name}.handler`,
      environment: { ...props.environment },
      timeout: props.timeout ?? Duration.minutes(1),
      memorySize: props.memoryMegabytes ?? 1024,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      tracing: Tracing.ACTIVE,
      role,
    });
    explainWildcards(role, [{ matching: /^Resource::\*$/, reason: "Traces: X-Ray's actions know no resource." }]);
  }
}
