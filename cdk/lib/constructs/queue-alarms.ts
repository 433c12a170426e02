import { Duration } from "aws-cdk-lib";
import { Stats } from "aws-cdk-lib/aws-cloudwatch";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { HouseAlarm } from "./house-alarm.ts";

export interface QueueAlarmsProps {
  /** e.g. `fedmkt-dev-shards`: its alarms begin so */
  name: string;
  queue: IQueue;
  deadLetters: IQueue;
  /** a message that has waited longer is late */
  late: Duration;
  /** whether a message may be at work for longer than that: then only those count that nobody has taken */
  worksLong?: boolean;
  /** what to do about a late message, and about one given up */
  lateAdvice: string;
  deadLetterAdvice: string;
  topic: ITopic;
}

const PERIOD = Duration.minutes(5);

/** A queue's two alarms: its oldest message is late, and a message was given up. */
export class QueueAlarms extends Construct {
  constructor(scope: Construct, id: string, props: QueueAlarmsProps) {
    super(scope, id);
    new HouseAlarm(this, "Late", {
      name: `${props.name}-late`,
      ...(props.worksLong ? neverEmpty(props) : oldest(props)),
      description: `A message of ${props.name} has waited for more than ${props.late.toHumanString()}. ${props.lateAdvice}`,
      topic: props.topic,
    });
    new HouseAlarm(this, "DeadLetters", {
      name: `${props.name}-dead-letters`,
      metric: props.deadLetters.metricApproximateNumberOfMessagesVisible({ period: PERIOD, statistic: Stats.MAXIMUM }),
      above: 0,
      description: `A message of ${props.name} was given up and lies in its dead-letter queue. ${props.deadLetterAdvice}`,
      topic: props.topic,
    });
  }
}

/** SQS counts the age of every message that is not deleted, one at work too. */
function oldest({ queue, late }: QueueAlarmsProps) {
  return {
    metric: queue.metricApproximateAgeOfOldestMessage({ period: PERIOD, statistic: Stats.MAXIMUM }),
    above: late.toSeconds(),
  };
}

function neverEmpty({ queue, late }: QueueAlarmsProps) {
  return {
    metric: queue.metricApproximateNumberOfMessagesVisible({ period: PERIOD, statistic: Stats.MINIMUM }),
    above: 0,
    periods: late.toSeconds() / PERIOD.toSeconds(),
  };
}
