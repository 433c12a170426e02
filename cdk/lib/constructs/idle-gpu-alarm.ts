import { Duration } from "aws-cdk-lib";
import { MathExpression, Metric, Stats } from "aws-cdk-lib/aws-cloudwatch";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import type { CloudCapacity } from "./cloud-capacity.ts";
import { acknowledge } from "./explain-finding.ts";
import type { GpuCapacity } from "./gpu-capacity.ts";
import { HouseAlarm } from "./house-alarm.ts";
import { standUnder } from "./stand-under.ts";

const PERIOD = Duration.minutes(5);

/** Managed scaling takes an unused machine away after 15 minutes, and a new one needs some before its task runs. */
const PERIODS = 9;

/** Machines in service, by group. */
export function machineMetrics(gpus: GpuCapacity): Record<"spot" | "onDemand", Metric> {
  const [spot, onDemand] = gpus.groupNames.map(
    (AutoScalingGroupName) =>
      new Metric({
        namespace: "AWS/AutoScaling",
        metricName: "GroupInServiceInstances",
        dimensionsMap: { AutoScalingGroupName },
        statistic: Stats.MAXIMUM,
        period: PERIOD,
      }),
  );
  return { spot: spot!, onDemand: onDemand! };
}

/** Tasks that run on a cluster, as Container Insights counts them. */
export function taskMetric(clusterName: string): Metric {
  return new Metric({
    namespace: "ECS/ContainerInsights",
    metricName: "TaskCount",
    dimensionsMap: { ClusterName: clusterName },
    statistic: Stats.MAXIMUM,
    period: PERIOD,
  });
}

/** More machines than tasks, for longer than coming and going takes: somebody pays for a GPU that does nothing. */
export class IdleGpuAlarm extends Construct {
  constructor(
    scope: Construct,
    id: string,
    props: { name: string; capacity: CloudCapacity; gpus: GpuCapacity; clusterName: string; topic: ITopic },
  ) {
    super(scope, id);
    standUnder(props.capacity.condition, this);
    const alarm = new HouseAlarm(this, "Alarm", {
      name: props.name,
      metric: new MathExpression({
        expression: "FILL(spot, 0) + FILL(onDemand, 0) - FILL(tasks, 0)",
        usingMetrics: { ...machineMetrics(props.gpus), tasks: taskMetric(props.clusterName) },
        label: "machines without a task",
        period: PERIOD,
      }),
      above: 0,
      periods: PERIODS,
      description:
        "A GPU machine has stood without a task for 45 minutes. In the ECS console, look whether it registered with the cluster; " +
        "if not, set the Auto Scaling group's desired capacity to 0 and look into its user data's log.",
      topic: props.topic,
    });
    acknowledge(alarm, {
      "CloudFormation-Validate::W1028":
        "The groups' names are asked for as the dashboard asks for them, which is there without the groups too.",
    });
  }
}
