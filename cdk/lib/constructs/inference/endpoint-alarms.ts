import { METRICS } from "@fedmkt/shared/contracts/metrics.ts";
import { Duration } from "aws-cdk-lib";
import { MathExpression, Stats } from "aws-cdk-lib/aws-cloudwatch";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import { HouseAlarm } from "../house-alarm.ts";
import type { EndpointFront } from "./endpoint-front.ts";
import { ownMetric, targetMetric, taskCount } from "./endpoint-metrics.ts";
import { COLD_START } from "./endpoint-times.ts";

const PERIOD = Duration.minutes(5);

/** Failed answers in five minutes; what a client did wrong is a 4xx and not among them. */
const FAILED_ANSWERS = 5;
/** One in ten that waits as long is what a client gives up on; scaling has had its time by then. */
const WAIT_SECONDS = 30;
const WAIT_PERIODS = 3;

/** An endpoint's alarms that read its own log. */
export class EndpointAlarms extends Construct {
  constructor(scope: Construct, id: string, { name, topic }: { name: string; topic: ITopic }) {
    super(scope, id);
    new HouseAlarm(this, "Waits", {
      name: `${name}-waits`,
      metric: ownMetric(name, METRICS.queueSeconds, "p90", PERIOD),
      above: WAIT_SECONDS,
      periods: WAIT_PERIODS,
      description:
        `A tenth of all requests has waited for more than ${WAIT_SECONDS} seconds, for 15 minutes. Is the endpoint at its most tasks? Raise ` +
        "--inference-tasks, or look on the dashboard whether tasks wait for machines.",
      topic,
    });
    new HouseAlarm(this, "Refused", {
      name: `${name}-refused-adapters`,
      metric: ownMetric(name, METRICS.adaptersRefused, Stats.SUM, PERIOD),
      above: 0,
      description:
        "A published adapter is not served: the one before it stays. GET /v1/registry says why: another base model, a file that differs " +
        "from its hash, or worse scores than what is served.",
      topic,
    });
  }
}

/** Those that read what the load balancer and the cluster count; to be there where these are. */
export class EndpointFrontAlarms extends Construct {
  constructor(
    scope: Construct,
    id: string,
    { name, front, topic }: { name: string; front: EndpointFront; topic: ITopic },
  ) {
    super(scope, id);
    new HouseAlarm(this, "Failures", {
      name: `${name}-failures`,
      metric: targetMetric(front, "HTTPCode_Target_5XX_Count", Stats.SUM, PERIOD),
      above: FAILED_ANSWERS,
      description:
        "The endpoint failed requests by errors of its own (5xx). Its log has each with a code, docs/errors.md the remedy; the vllm streams " +
        "say what vLLM said.",
      topic,
    });
    new HouseAlarm(this, "Absent", {
      name: `${name}-absent`,
      metric: new MathExpression({
        expression: "IF(FILL(wanted, 0) > 0 AND FILL(healthy, 0) < 1, 1, 0)",
        usingMetrics: {
          wanted: taskCount(name, "DesiredTaskCount", PERIOD),
          healthy: targetMetric(front, "HealthyHostCount", Stats.MAXIMUM, PERIOD),
        },
        label: "wanted, and no task is ready",
        period: PERIOD,
      }),
      above: 0,
      periods: COLD_START.toMinutes() / PERIOD.toMinutes(),
      description:
        "The endpoint should run, and no task of it has been ready for half an hour. The service's events in ECS say whether it gets a " +
        "machine; the log's streams gateway, model and vllm say what keeps it from starting.",
      topic,
    });
  }
}
