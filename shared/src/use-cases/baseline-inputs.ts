import type { Baseline, RunSpec } from "../contracts/run-spec.ts";

/** What no baseline reads: names, how the run is paid for, and how knowledge travels. */
const OF_THE_RUN: readonly string[] = [
  ...["$schema", "name", "method", "baselines", "budget", "samplesPerShard", "shardEncoding"],
];

/** Baselines that transfer knowledge themselves, and so read how; all others train on labels alone. */
const TRANSFERRING: readonly string[] = ["one-way"];

/**
 * Everything of a spec that a baseline's scores depend on: specs that are equal in it have equal scores of that baseline, to the
 * bit. What is not known to be without influence counts as an influence, so a new key of the spec costs work at worst.
 *
 * @returns a plain value; compare it as JSON
 */
export function baselineInputs(spec: RunSpec, baseline: Baseline): Record<string, unknown> {
  const { distillation, aggregation, server, clients, ...rest } = spec;
  const read = Object.fromEntries(Object.entries(rest).filter(([key]) => !OF_THE_RUN.includes(key)));
  if (!TRANSFERRING.includes(baseline))
    return { ...read, server: withoutLambda(server), clients: clients.map(withoutLambda) };
  const { direction: _, ...choices } = distillation as RunSpec["distillation"] & { direction?: string };
  return { ...read, server, clients, aggregation, distillation: choices };
}

/** A party's own weight of the labels' loss means nothing where no knowledge is weighed against it. */
function withoutLambda(party: object): object {
  return Object.fromEntries(Object.entries(party).filter(([key]) => key !== "lambda"));
}
