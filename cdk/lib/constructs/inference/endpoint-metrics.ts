import { METRICS } from "@fedmkt/shared/contracts/metrics.ts";
import { Duration } from "aws-cdk-lib";
import { Metric, Stats } from "aws-cdk-lib/aws-cloudwatch";
import type { EndpointFront } from "./endpoint-front.ts";

const MINUTE = Duration.minutes(1);

/** What an endpoint writes into its log of itself. */
export function ownMetric(endpoint: string, metricName: string, statistic: string, period: Duration = MINUTE): Metric {
  return new Metric({
    namespace: METRICS.namespace,
    metricName,
    dimensionsMap: { service: METRICS.service, [METRICS.endpointDimension]: endpoint },
    statistic,
    period,
  });
}

/** What the load balancer counts; nothing is nothing, which is no value at all. */
export function frontMetric(
  { dimensions }: EndpointFront,
  metricName: string,
  statistic: string = Stats.SUM,
  period: Duration = MINUTE,
): Metric {
  return new Metric({
    namespace: "AWS/ApplicationELB",
    metricName,
    dimensionsMap: { LoadBalancer: dimensions.LoadBalancer },
    statistic,
    period,
  });
}

/** What it knows of the tasks behind it. */
export function targetMetric(
  { dimensions }: EndpointFront,
  metricName: string,
  statistic: string,
  period: Duration = MINUTE,
): Metric {
  return new Metric({
    namespace: "AWS/ApplicationELB",
    metricName,
    dimensionsMap: dimensions,
    statistic,
    period,
  });
}

/** Tasks of the service, wanted or running, as Container Insights counts them. */
export function taskCount(
  endpoint: string,
  metricName: "DesiredTaskCount" | "RunningTaskCount",
  period: Duration = MINUTE,
): Metric {
  return new Metric({
    namespace: "ECS/ContainerInsights",
    metricName,
    dimensionsMap: { ClusterName: endpoint, ServiceName: endpoint },
    statistic: Stats.MAXIMUM,
    period,
  });
}
