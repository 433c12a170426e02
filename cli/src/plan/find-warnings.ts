import { acceleratorOf } from "@fedmkt/shared/core/cost/accelerators.ts";
import { type CostEstimate, type CostOptions, limitShares } from "@fedmkt/shared/core/cost/estimate-cost.ts";
import { partiesOf, type RunSize } from "@fedmkt/shared/core/cost/run-size.ts";
import { workerMemoryBytes } from "@fedmkt/shared/core/cost/worker-time.ts";
import { formatBytes } from "@fedmkt/shared/report/table.ts";

/** Beyond this share of a limit of Step Functions a growing run should be told of it; plan-run refuses at four fifths. */
const NEAR_LIMIT = 0.5;

/** What would keep a run from going well, as far as its size tells. */
export function findWarnings(size: RunSize, estimate: CostEstimate, { instanceType }: CostOptions): string[] {
  const { name, memoryBytes, gpus } = acceleratorOf(instanceType);
  const warnings: string[] = [];
  for (const party of partiesOf(size)) {
    const needed = workerMemoryBytes(party);
    if (party.compute === "ecs" && needed > memoryBytes)
      warnings.push(
        `${party.id}: training needs about ${formatBytes(needed)}; ${instanceType} (${name}) has ${formatBytes(memoryBytes)}`,
      );
  }
  if (gpus > 1)
    warnings.push(`${instanceType} has ${gpus} GPUs; a worker uses one, and the whole machine is counted for it`);
  const { history, payload } = limitShares(estimate);
  for (const [what, share] of [
    ["the longest history", history],
    ["the largest state", payload],
  ] as const)
    if (share > NEAR_LIMIT)
      warnings.push(
        `${what} takes ${Math.round(share * 100)} % of Step Functions' limit; raise samplesPerShard (docs/limits.md)`,
      );
  return warnings;
}
