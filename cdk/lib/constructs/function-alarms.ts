import { Duration } from "aws-cdk-lib";
import { Stats } from "aws-cdk-lib/aws-cloudwatch";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import { HouseAlarm } from "./house-alarm.ts";

const PERIOD = Duration.minutes(15);

/** What passes by itself is tried again up to three times: more failures than that in one period are one that stays. */
const PASSING_ERRORS = 3;

/** Lambda turns invocations away while too many run; the callers come again, so a few in a large run are nothing. */
const PASSING_THROTTLES = 50;

/** Two alarms a function: it keeps failing, and it is kept from running. */
export class FunctionAlarms extends Construct {
  constructor(
    scope: Construct,
    id: string,
    props: { environment: string; functions: Record<string, LambdaFunction>; topic: ITopic },
  ) {
    super(scope, id);
    for (const [name, fn] of Object.entries(props.functions)) {
      new HouseAlarm(this, `${name}-errors`, {
        name: `fedmkt-${props.environment}-${name}-errors`,
        metric: fn.metricErrors({ period: PERIOD, statistic: Stats.SUM }),
        above: PASSING_ERRORS,
        description: `The function ${name} keeps failing. Its log group has the error's code; docs/errors.md says what each means.`,
        topic: props.topic,
      });
      new HouseAlarm(this, `${name}-throttles`, {
        name: `fedmkt-${props.environment}-${name}-throttles`,
        metric: fn.metricThrottles({ period: PERIOD, statistic: Stats.SUM }),
        above: PASSING_THROTTLES,
        description: `Lambda keeps turning ${name} away. See what else uses the account's concurrent executions, or ask for more of them.`,
        topic: props.topic,
      });
    }
  }
}
