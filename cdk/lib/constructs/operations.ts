import { METRICS } from "@fedmkt/shared/contracts/metrics.ts";
import { Duration } from "aws-cdk-lib";
import { type Alarm, type IMetric, Metric, Stats } from "aws-cdk-lib/aws-cloudwatch";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import type { StateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
import { AlarmTopic } from "./alarm-topic.ts";
import type { CloudCapacity } from "./cloud-capacity.ts";
import { FunctionAlarms } from "./function-alarms.ts";
import type { GpuCapacity } from "./gpu-capacity.ts";
import { HouseAlarm } from "./house-alarm.ts";
import { IdleGpuAlarm, machineMetrics, taskMetric } from "./idle-gpu-alarm.ts";
import { MachineAlarms } from "./machine-alarms.ts";
import { MonthlyBudget } from "./monthly-budget.ts";
import { OperationsDashboard } from "./operations-dashboard.ts";
import { QueueAlarms } from "./queue-alarms.ts";
import type { ShardQueue } from "./shard-queue.ts";

/** A shard takes seconds; its state gives up after this long without a word. */
const SHARD_LATE = Duration.minutes(15);

const PERIOD = Duration.minutes(5);

export interface OperationsProps {
  settings: DeploymentSettings;
  capacity: CloudCapacity;
  run: StateMachine;
  round: StateMachine;
  shards: ShardQueue;
  /** of the rules that start a run and clear up after it */
  events: { deadLetters: IQueue };
  /** by the name of their folder */
  functions: Record<string, LambdaFunction>;
  clusterName: string;
  /** absent where workers run on Fargate */
  gpus?: GpuCapacity;
}

/** What an operator looks at and is told by: alarms and their topic, a dashboard, the month's budget. */
export class Operations extends Construct {
  readonly topic: ITopic;

  constructor(scope: Construct, id: string, props: OperationsProps) {
    super(scope, id);
    const { settings, capacity, run, round, shards, events, functions, gpus, clusterName } = props;
    const { names, environment } = settings;
    const { topic } = new AlarmTopic(this, "Alarms", { settings });
    this.topic = topic;
    new MachineAlarms(this, "Runs", { name: names.runMachine, what: "A run", machine: run, topic });
    new MachineAlarms(this, "Rounds", { name: names.roundMachine, what: "A round", machine: round, topic });
    new QueueAlarms(this, "Shards", {
      name: names.shardQueue,
      ...shards,
      late: SHARD_LATE,
      lateAdvice: "Look at the errors and throttles of align-shard.",
      deadLetterAdvice: "fail-task should have failed its run at once: look into that function's log.",
      topic,
    });
    new HouseAlarm(this, "Events", {
      name: `fedmkt-${environment}-events-dead-letters`,
      metric: events.deadLetters.metricApproximateNumberOfMessagesVisible({ period: PERIOD, statistic: Stats.MAXIMUM }),
      above: 0,
      description:
        "An event that starts a run or clears up after one could not be delivered. The message names its rule and why: upload run.yaml " +
        "again, or stop the tasks that the run has left.",
      topic,
    });
    new FunctionAlarms(this, "Functions", { environment, functions, topic });
    const runDollars = this.runDollars(settings, functions["close-round"].functionName, topic);
    if (gpus) new IdleGpuAlarm(this, "IdleGpus", { name: `${names.cluster}-idle`, capacity, gpus, clusterName, topic });
    new MonthlyBudget(this, "Month", {
      name: `fedmkt-${environment}`,
      dollars: settings.budgetDollarsPerMonth,
      capacity,
      topic,
    });
    new OperationsDashboard(this, "Overview", {
      settings,
      // an alarm that may not be there cannot be shown: a dashboard's body knows no condition for a part
      alarms: this.node.findAll().filter((one): one is Alarm => one instanceof HouseAlarm && !isIdleAlarm(one)),
      run,
      round,
      shards,
      functions,
      runDollars,
      tasks: taskMetric(clusterName),
      machines: gpus ? machineMetrics(gpus) : {},
    });
  }

  /** What close-round says that the run has cost so far. */
  private runDollars(
    { environment, alarmDollarsPerRun }: DeploymentSettings,
    closeRound: string,
    topic: ITopic,
  ): IMetric {
    const metric = new Metric({
      namespace: METRICS.namespace,
      metricName: METRICS.runDollars,
      dimensionsMap: { service: METRICS.service, [METRICS.functionDimension]: closeRound },
      statistic: Stats.MAXIMUM,
      period: PERIOD,
    });
    new HouseAlarm(this, "RunDollars", {
      name: `fedmkt-${environment}-run-dollars`,
      metric,
      above: alarmDollarsPerRun,
      description:
        `A run has cost more than ${alarmDollarsPerRun} dollars. fedmkt status names the runs under way; fedmkt stop RUN --after-round ends one ` +
        "with what it has, and budget.dollars in a spec does so by itself.",
      topic,
    });
    return metric;
  }
}

function isIdleAlarm(alarm: Construct): boolean {
  return alarm.node.scope instanceof IdleGpuAlarm;
}
