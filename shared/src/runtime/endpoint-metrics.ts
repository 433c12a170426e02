import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import { METRICS } from "../contracts/metrics.ts";

/** CloudWatch's own step is a minute; four in it are enough for a mean. */
const EVERY_MS = 15_000;

export interface EndpointMetrics {
  /** A request has waited for its turn, in seconds, or was sent away for so long; 0 where its turn came at once. */
  waited(seconds: number): void;
  /** A published adapter was refused. */
  adapterRefused(): void;
  /** Writes what is left, and stops. */
  close(): void;
}

/**
 * Writes what an inference endpoint measures into its log, in CloudWatch's embedded metric format: what the endpoint's alarms and
 * its scaling read. Lines with nothing but numbers, every quarter of a minute, and sooner at a hundred requests.
 *
 * @param endpoint - the deployed service's name, which is a dimension: several endpoints share an account
 * @param busyShare - answers under way of those that may be, asked for at each line
 */
export function writeEndpointMetrics(
  endpoint: string,
  busyShare: () => number,
  everyMs: number = EVERY_MS,
): EndpointMetrics {
  const metrics = new Metrics({
    namespace: METRICS.namespace,
    serviceName: METRICS.service,
    defaultDimensions: { [METRICS.endpointDimension]: endpoint },
  });
  const write = () => {
    metrics.addMetric(METRICS.busyShare, MetricUnit.NoUnit, busyShare());
    metrics.publishStoredMetrics();
  };
  const timer = setInterval(write, everyMs).unref();
  return {
    waited: (seconds) => metrics.addMetric(METRICS.queueSeconds, MetricUnit.Seconds, seconds),
    adapterRefused: () => metrics.addMetric(METRICS.adaptersRefused, MetricUnit.Count, 1),
    close() {
      clearInterval(timer);
      write();
    },
  };
}
