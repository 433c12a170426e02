import type { InferenceSettings } from "@fedmkt/shared/contracts/inference-settings.ts";
import { METRICS } from "@fedmkt/shared/contracts/metrics.ts";
import { Duration } from "aws-cdk-lib";
import { CfnScalableTarget, CfnScalingPolicy } from "aws-cdk-lib/aws-applicationautoscaling";
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Stats,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
import { Construct } from "constructs";
import type { EndpointFront } from "./endpoint-front.ts";
import { frontMetric, ownMetric, taskCount } from "./endpoint-metrics.ts";
import type { EndpointService } from "./endpoint-service.ts";

/** Mean wait above which one task more comes, and above which two do. */
const LONG_WAIT_SECONDS = 2;
const VERY_LONG_WAIT_SECONDS = 10;
/** For so long a task that has been asked for counts as coming: nothing else is asked for because of what it will take over. */
const COMING = Duration.minutes(5);

/** Below this load one task less will do: the others then have at most twice of it. */
const LOW_LOAD = 0.3;
const LOW_FOR = Duration.minutes(15);

/** After so long without a request nothing stays. */
const NOBODY_FOR = Duration.minutes(30);

const MINUTE = Duration.minutes(1);

export interface EndpointScalingProps {
  /** of endpoint, cluster and service */
  name: string;
  tasks: InferenceSettings["tasks"];
  front: EndpointFront;
  service: EndpointService;
}

/**
 * How many tasks an endpoint has. More come when requests wait for their turn, one goes where all have little to do, and where none need
 * stay the last one goes half an hour after the last request. The first request then is answered 503 by the load balancer, and brings a
 * task back.
 *
 * By steps, not by tracking a target: a wait of nothing would make tracking take away a task that is half busy, down to the last.
 */
export class EndpointScaling extends Construct {
  constructor(scope: Construct, id: string, props: EndpointScalingProps) {
    super(scope, id);
    const { name, tasks, front } = props;
    // without a role: application scaling has one of its own for ECS, made by AWS
    const target = new CfnScalableTarget(this, "Target", {
      serviceNamespace: "ecs",
      scalableDimension: "ecs:service:DesiredCount",
      resourceId: `service/${name}/${name}`,
      minCapacity: tasks.least,
      maxCapacity: tasks.most,
    });
    target.addResourceDependency(props.service.service);

    const veryLong = VERY_LONG_WAIT_SECONDS - LONG_WAIT_SECONDS; // above the alarm's own threshold
    const more = this.#step("More", target, "ChangeInCapacity", COMING, [
      { metricIntervalLowerBound: 0, metricIntervalUpperBound: veryLong, scalingAdjustment: 1 },
      { metricIntervalLowerBound: veryLong, scalingAdjustment: 2 },
    ]);
    this.#when("LongWait", more, {
      metric: ownMetric(name, METRICS.queueSeconds, Stats.AVERAGE),
      above: LONG_WAIT_SECONDS,
      minutes: 2,
      says: "requests wait for their turn",
    });

    const fewer = this.#step("Fewer", target, "ChangeInCapacity", LOW_FOR, always(-1));
    this.#when("LowLoad", fewer, {
      metric: new MathExpression({
        expression: `IF(running > 1 AND busy < ${LOW_LOAD}, 1, 0)`,
        usingMetrics: {
          running: taskCount(name, "RunningTaskCount"),
          busy: ownMetric(name, METRICS.busyShare, Stats.AVERAGE),
        },
        period: MINUTE,
      }),
      above: 0,
      minutes: LOW_FOR.toMinutes(),
      says: "several tasks have little to do",
    });

    if (tasks.least > 0) return;
    const none = this.#step("None", target, "ExactCapacity", MINUTE, always(0));
    this.#when("NobodyAsks", none, {
      metric: new MathExpression({
        expression: "IF(FILL(requests, 0) < 1 AND FILL(running, 0) > 0, 1, 0)",
        usingMetrics: {
          requests: frontMetric(front, "RequestCount"),
          running: taskCount(name, "RunningTaskCount"),
        },
        period: MINUTE,
      }),
      above: 0,
      minutes: NOBODY_FOR.toMinutes(),
      says: "nobody asks",
    });
    const first = this.#step("First", target, "ExactCapacity", MINUTE, always(1));
    this.#when("SomebodyAsks", first, {
      // while a task is wanted, it is on its way: to want one more would be to want one for each minute of a cold start
      metric: new MathExpression({
        expression: "IF(FILL(refused, 0) > 0 AND FILL(wanted, 0) < 1, 1, 0)",
        usingMetrics: {
          refused: frontMetric(front, "HTTPCode_ELB_503_Count"),
          wanted: taskCount(name, "DesiredTaskCount"),
        },
        period: MINUTE,
      }),
      above: 0,
      minutes: 1,
      says: "somebody asks, and no task is there",
    });
  }

  #step(
    id: string,
    target: CfnScalableTarget,
    adjustmentType: "ChangeInCapacity" | "ExactCapacity",
    cooldown: Duration,
    stepAdjustments: CfnScalingPolicy.StepAdjustmentProperty[],
  ): CfnScalingPolicy {
    return new CfnScalingPolicy(this, id, {
      policyName: id,
      policyType: "StepScaling",
      scalingTargetId: target.ref,
      stepScalingPolicyConfiguration: {
        adjustmentType,
        cooldown: cooldown.toSeconds(),
        metricAggregationType: "Average",
        stepAdjustments,
      },
    });
  }

  /** An alarm that tells nobody: it scales. */
  #when(
    id: string,
    policy: CfnScalingPolicy,
    { metric, above, minutes, says }: { metric: IMetric; above: number; minutes: number; says: string },
  ): void {
    const alarm = new Alarm(this, id, {
      alarmDescription: `Scales an inference endpoint: ${says}. No trouble by itself.`,
      metric,
      threshold: above,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: minutes,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction({ bind: () => ({ alarmActionArn: policy.ref }) });
  }
}

/** However far above its threshold the alarm is. */
function always(scalingAdjustment: number): CfnScalingPolicy.StepAdjustmentProperty[] {
  return [{ metricIntervalLowerBound: 0, scalingAdjustment }];
}
