import { Duration } from "aws-cdk-lib";
import { type Metric, Stats } from "aws-cdk-lib/aws-cloudwatch";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import type { StateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import { HouseAlarm } from "./house-alarm.ts";

const PERIOD = Duration.minutes(5);

export interface MachineAlarmsProps {
  /** e.g. `fedmkt-dev-run` */
  name: string;
  /** a run or a round, as the description calls it */
  what: string;
  machine: StateMachine;
  topic: ITopic;
}

/** One alarm for each way in which an execution ends without success. */
export class MachineAlarms extends Construct {
  constructor(scope: Construct, id: string, { name, what, machine, topic }: MachineAlarmsProps) {
    super(scope, id);
    const alarm = (end: string, metric: Metric, advice: string): HouseAlarm =>
      new HouseAlarm(this, end, {
        name: `${name}-${end.replace(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase()}`,
        metric,
        above: 0,
        description: `${what} ${advice}`,
        topic,
      });
    const options = { period: PERIOD, statistic: Stats.SUM };
    alarm(
      "Failed",
      machine.metricFailed(options),
      "failed. fedmkt list names it, fedmkt status tells its error's code, fedmkt logs what led to it; fedmkt resume goes on from what is finished.",
    );
    alarm(
      "TimedOut",
      machine.metricTimedOut(options),
      "ran longer than it may. fedmkt status tells the state that it stood in; look for a worker that makes no progress, then fedmkt resume.",
    );
    alarm(
      "Aborted",
      machine.metricAborted(options),
      "was stopped from outside. If nobody asked for it, look into CloudTrail for StopExecution; fedmkt resume goes on.",
    );
  }
}
