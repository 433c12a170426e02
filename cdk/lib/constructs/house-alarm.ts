import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import type { Construct } from "constructs";

export interface HouseAlarmProps {
  /** what the operator reads first, e.g. `fedmkt-dev-run-failed` */
  name: string;
  metric: IMetric;
  /** alarms where the metric is above it */
  above: number;
  /** so many of the metric's periods in a row; 1 unless given */
  periods?: number;
  /** what happened, and what to do about it: whoever reads it has nothing else before them */
  description: string;
  topic: ITopic;
}

/** An alarm with the house's defaults: silence is health, and its end is told as its beginning is. */
export class HouseAlarm extends Alarm {
  constructor(scope: Construct, id: string, props: HouseAlarmProps) {
    super(scope, id, {
      alarmName: props.name,
      alarmDescription: `${props.description} See docs/operations.md.`,
      metric: props.metric,
      threshold: props.above,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: props.periods ?? 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    const action = new SnsAction(props.topic);
    this.addAlarmAction(action);
    this.addOkAction(action);
  }
}
