import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import { METRICS } from "../contracts/metrics.ts";
import type { LambdaStageName, StageOutput } from "../contracts/stages.ts";

interface Measurement {
  name: string;
  unit: (typeof MetricUnit)[keyof typeof MetricUnit];
  value: number;
}

const counted = (name: string): Measurement => ({ name, unit: MetricUnit.Count, value: 1 });

/** What of a stage's output is counted, by stage. */
const MEASURED: { [S in LambdaStageName]?: (output: StageOutput<S>) => Measurement[] } = {
  "close-round": ({ dollars }) => [
    { name: METRICS.runDollars, unit: MetricUnit.NoUnit, value: dollars },
    counted(METRICS.roundsClosed),
  ],
  "select-knowledge": ({ samples, selected }) => [
    { name: METRICS.samplesSelected, unit: MetricUnit.Count, value: selected },
    ...(samples > 0 && selected === 0 ? [counted(METRICS.emptySelections)] : []),
  ],
  "fail-run": ({ written }) => (written ? [counted(METRICS.failedRuns)] : []),
};

/**
 * Writes what is to be counted of a stage's output as one log line in CloudWatch's embedded metric format; nothing for most stages.
 * @param place - the deployed function, which is a dimension, and whose output it was, which the line says beside it
 */
export function measureStage<S extends LambdaStageName>(
  stage: S,
  output: StageOutput<S>,
  { functionName, ...identity }: { functionName: string } & Record<string, string | number>,
): void {
  const measurements = MEASURED[stage]?.(output) ?? [];
  if (measurements.length === 0) return;
  const metrics = new Metrics({
    namespace: METRICS.namespace,
    serviceName: METRICS.service,
    defaultDimensions: { [METRICS.functionDimension]: functionName },
  });
  for (const [name, value] of Object.entries(identity)) metrics.addMetadata(name, String(value));
  for (const { name, unit, value } of measurements) metrics.addMetric(name, unit, value);
  metrics.publishStoredMetrics();
}
