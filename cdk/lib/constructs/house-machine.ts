import type { Duration } from "aws-cdk-lib";
import {
  DefinitionBody,
  type IChainable,
  LogLevel,
  StateMachine,
  StateMachineType,
} from "aws-cdk-lib/aws-stepfunctions";
import type { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
import { explainWildcards } from "./explain-finding.ts";
import { houseLogGroup } from "./house-log-group.ts";

export interface HouseMachineProps {
  name: string;
  definition: IChainable;
  timeout: Duration;
  comment: string;
  settings: DeploymentSettings;
}

/** A STANDARD machine with the house's defaults: traced, logged without execution data, and ended after a time. */
export class HouseMachine extends StateMachine {
  constructor(scope: Construct, id: string, props: HouseMachineProps) {
    super(scope, id, {
      stateMachineName: props.name,
      stateMachineType: StateMachineType.STANDARD,
      definitionBody: DefinitionBody.fromChainable(props.definition),
      comment: props.comment,
      timeout: props.timeout,
      tracingEnabled: true,
      logs: {
        // what begins so needs no line in the account's policy for log delivery, which is full after some dozens of groups
        destination: houseLogGroup(scope, `${id}Log`, props.settings, `/aws/vendedlogs/states/${props.name}`),
        level: LogLevel.ALL,
        includeExecutionData: false,
      },
    });
    const anyParty = props.settings.names.party("\\*");
    explainWildcards(this, [
      {
        matching: /^Resource::\*$/,
        reason: "Traces, and the delivery of the machine's log: their actions know no resource.",
      },
      {
        matching: /^Resource::<\w+\.Arn>:\*$/,
        reason: "Any version of one function, as CDK grants it; there is but one.",
      },
      { matching: /^Resource::[^*]+:execution:[^*]+\*$/, reason: "An execution is named when it starts." },
      {
        matching: new RegExp(`^Resource::[^*]+[:/]${anyParty}$`),
        reason: "Parties come and go while the machine stays; their names begin so, and no other's do.",
      },
    ]);
  }
}
