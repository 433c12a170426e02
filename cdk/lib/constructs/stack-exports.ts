import type { DeploymentSettings } from "../deployment-settings.ts";

/**
 * What clients' stacks import by name. They are deployed one by one, long after the others, so nothing may depend on whether
 * one of them was there when the others were synthesized. CloudFormation lets nobody change what is imported: all of it is
 * there for good. What changes with a deployment, the workers' image, is an SSM parameter instead.
 */
export function exportedNames({ stateStack, pipelineStack }: DeploymentSettings["names"]) {
  return {
    controlKeyArn: `${stateStack}:ControlKeyArn`,
    artefactKeyArn: `${stateStack}:ArtefactKeyArn`,
    accessLogBucket: `${stateStack}:AccessLogBucket`,
    executionRoleArn: `${pipelineStack}:ExecutionRoleArn`,
    failTaskArn: `${pipelineStack}:FailTaskArn`,
  };
}
