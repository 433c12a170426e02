import { Duration } from "aws-cdk-lib";
import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  MathExpression,
  Row,
  Stats,
  TextWidget,
} from "aws-cdk-lib/aws-cloudwatch";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import type { StateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";

export interface OperationsDashboardProps {
  settings: DeploymentSettings;
  alarms: Alarm[];
  run: StateMachine;
  round: StateMachine;
  shards: { queue: IQueue; deadLetters: IQueue };
  functions: Record<string, LambdaFunction>;
  runDollars: IMetric;
  /** of the cluster: how many tasks run */
  tasks: IMetric;
  /** machines in service, where there are any */
  machines: Record<string, IMetric>;
}

const PERIOD = Duration.minutes(5);
const HALF = 12;
const HEIGHT = 6;

/** One page to look at first: which alarms are on, what runs, what waits, what fails, what it costs. */
export class OperationsDashboard extends Construct {
  constructor(scope: Construct, id: string, props: OperationsDashboardProps) {
    super(scope, id);
    const { names } = props.settings;
    const dashboard = new Dashboard(this, "Dashboard", {
      dashboardName: names.dashboard,
      defaultInterval: Duration.days(1),
    });
    const sums = { period: PERIOD, statistic: Stats.SUM };
    const most = { period: PERIOD, statistic: Stats.MAXIMUM };
    const executions = (name: string, machine: StateMachine) =>
      graph(name, [
        machine.metricStarted({ ...sums, label: "started" }),
        machine.metricSucceeded({ ...sums, label: "succeeded" }),
        machine.metricFailed({ ...sums, label: "failed" }),
        machine.metricTimedOut({ ...sums, label: "timed out" }),
        machine.metricAborted({ ...sums, label: "stopped" }),
      ]);
    const ofFunctions = (title: string, metric: (fn: LambdaFunction, label: string) => IMetric) =>
      graph(
        title,
        Object.entries(props.functions).map(([name, fn]) => metric(fn, name)),
      );
    const { queue, deadLetters } = props.shards;

    dashboard.addWidgets(
      new Row(
        new TextWidget({
          markdown: `# FedMKT ${props.settings.environment}\ndocs/operations.md`,
          width: HALF,
          height: 2,
        }),
      ),
      new Row(new AlarmStatusWidget({ title: "Alarms", alarms: props.alarms, width: 2 * HALF, height: 4 })),
    );
    const rows: [IWidget, IWidget][] = [
      [executions("Runs", props.run), executions("Rounds", props.round)],
      [
        graph("Shards: oldest message, seconds", [
          queue.metricApproximateAgeOfOldestMessage({ ...most, label: "waits for" }),
        ]),
        graph("Shards: messages", [
          queue.metricApproximateNumberOfMessagesVisible({ ...most, label: "waiting" }),
          queue.metricApproximateNumberOfMessagesNotVisible({ ...most, label: "at work" }),
          deadLetters.metricApproximateNumberOfMessagesVisible({ ...most, label: "given up" }),
        ]),
      ],
      [
        graph("Jobs for sites: oldest message, seconds", [
          ofQueues([names.party("")], "ApproximateAgeOfOldestMessage"),
        ]),
        graph("Jobs for sites: messages, given up ones too", [
          ofQueues([names.party(""), names.deadJobs("")], "ApproximateNumberOfMessagesVisible"),
        ]),
      ],
      [
        ofFunctions("Functions: errors", (fn, label) => fn.metricErrors({ ...sums, label })),
        ofFunctions("Functions: turned away", (fn, label) => fn.metricThrottles({ ...sums, label })),
      ],
      [
        graph("Machines and tasks", [...Object.values(props.machines), props.tasks]),
        graph("Dollars of a run so far", [props.runDollars]),
      ],
    ];
    for (const row of rows) dashboard.addWidgets(new Row(...row));
  }
}

function graph(title: string, left: IMetric[]): GraphWidget {
  return new GraphWidget({ title, left, width: HALF, height: HEIGHT, leftYAxis: { min: 0 } });
}

/**
 * Of all queues whose names begin so, those too that come after this dashboard. Without quotes: CloudWatch takes a quoted term for
 * the whole name, which no queue has.
 */
function ofQueues(prefixes: string[], metric: string): IMetric {
  const names = prefixes.map((prefix) => prefix.replace(/-$/, "")).join(" OR ");
  return new MathExpression({
    expression: `SEARCH('{AWS/SQS,QueueName} MetricName="${metric}" (${names})', 'Maximum', ${PERIOD.toSeconds()})`,
    usingMetrics: {},
    label: "",
    period: PERIOD,
  });
}
