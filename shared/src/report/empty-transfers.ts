import type { RunSummary, SelectionCount } from "../contracts/summary.ts";
import { LOSS_UNITS } from "../core/selection/loss-metric.ts";
import { formatGain } from "./table.ts";

/** What of a run or a round its exchange is told by. */
export type ExchangeSummary = Pick<RunSummary, "selections" | "transfers"> & {
  distillation: Pick<RunSummary["distillation"], "selection" | "lossMetric">;
};

/** What of the exchange came to nothing, and why, a sentence each: an empty transfer must not go unseen. */
export function emptyTransfers({ selections, transfers, distillation }: ExchangeSummary): string[] {
  const unaligned = transfers
    .filter(({ targetPositions, alignedShare }) => targetPositions > 0 && alignedShare === 0)
    .map(
      ({ round, source, target }) => `round ${round}: nothing of ${source} reached ${target}: no position was aligned.`,
    );
  const unselected = selections
    .filter(({ samples, none }) => samples > 0 && none === samples && distillation.selection !== "weighted-mean")
    .map((count) => explainEmpty(count, LOSS_UNITS[distillation.lossMetric]));
  return [...unaligned, ...unselected];
}

/** The gap is the target's loss less the best source's, so all of them are below what selection asks for. */
function explainEmpty({ round, target, samples, meanGap, gapQuartiles }: SelectionCount, unit: string): string {
  const [, , median, , nearest] = gapQuartiles;
  return (
    `round ${round}: ${target} learned nothing from others: on none of ${samples} public samples was anyone better by enough ` +
    `(${target}'s loss less the best source's, ${unit}: mean ${formatGain(meanGap)}, median ${formatGain(median)}, at most ${formatGain(nearest)}).`
  );
}
