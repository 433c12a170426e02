import { METRICS } from "@fedmkt/shared/contracts/metrics.ts";
import { Duration } from "aws-cdk-lib";
import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type Metric,
  Row,
  Stats,
  TextWidget,
} from "aws-cdk-lib/aws-cloudwatch";
import { Construct } from "constructs";
import type { EndpointFront } from "./endpoint-front.ts";
import { frontMetric, ownMetric, targetMetric, taskCount } from "./endpoint-metrics.ts";

const HALF = 12;
const HEIGHT = 6;

/** One page about an endpoint: what is asked and how it is answered, who waits, what runs. */
export class EndpointDashboard extends Construct {
  constructor(
    scope: Construct,
    id: string,
    { name, front, alarms }: { name: string; front: EndpointFront; alarms: Alarm[] },
  ) {
    super(scope, id);
    const own = (metric: string, statistic: string, label: string) =>
      ownMetric(name, metric, statistic).with({ label });
    const counted = (metric: string, label: string) => frontMetric(front, metric).with({ label });
    const answered = (metric: string, label: string) => targetMetric(front, metric, Stats.SUM).with({ label });
    const dashboard = new Dashboard(this, "Dashboard", { dashboardName: name, defaultInterval: Duration.hours(12) });
    dashboard.addWidgets(
      new Row(new TextWidget({ markdown: `# ${name}\ndocs/operations.md`, width: HALF, height: 2 })),
      new Row(new AlarmStatusWidget({ title: "Alarms", alarms, width: 2 * HALF, height: 2 })),
      new Row(
        graph("Answers", [
          answered("HTTPCode_Target_2XX_Count", "well"),
          answered("HTTPCode_Target_4XX_Count", "refused"),
          answered("HTTPCode_Target_5XX_Count", "failed"),
          counted("HTTPCode_ELB_503_Count", "no task was there"),
        ]),
        graph("Seconds in the queue", [
          own(METRICS.queueSeconds, "p50", "half"),
          own(METRICS.queueSeconds, "p90", "nine of ten"),
          own(METRICS.queueSeconds, Stats.MAXIMUM, "longest"),
        ]),
      ),
      new Row(
        graph("Tasks", [
          taskCount(name, "DesiredTaskCount").with({ label: "wanted" }),
          taskCount(name, "RunningTaskCount").with({ label: "running" }),
          targetMetric(front, "HealthyHostCount", Stats.MAXIMUM).with({ label: "ready" }),
        ]),
        graph("Load, and adapters refused", [
          own(METRICS.busyShare, Stats.AVERAGE, "share of answers under way"),
          own(METRICS.adaptersRefused, Stats.SUM, "adapters refused"),
        ]),
      ),
    );
  }
}

function graph(title: string, left: Metric[]): GraphWidget {
  return new GraphWidget({ title, left, width: HALF, height: HEIGHT, leftYAxis: { min: 0 } });
}
