import type { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { EcsRunTask, type EcsRunTaskProps } from "aws-cdk-lib/aws-stepfunctions-tasks";
import type { Construct } from "constructs";

/**
 * CDK's RunTask without its leave to stop and describe every ECS task of the account: only the `.sync` integration needs
 * that, and a state that waits for a token learns of its worker's end by the token alone.
 */
export class RunWorkerTask extends EcsRunTask {
  declare protected readonly taskPolicies: PolicyStatement[];

  constructor(scope: Construct, id: string, props: EcsRunTaskProps) {
    super(scope, id, props);
    this.taskPolicies = this.taskPolicies.filter(({ actions }) => !actions.includes("ecs:StopTask"));
  }
}
