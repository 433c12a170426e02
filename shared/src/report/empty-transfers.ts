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
    .map((count) => explainEmpty(count, distillation));
  return [...unaligned, ...unselected];
}

/**
 * The gap is the target's loss less the best source's, or by token that source's advantage, so all of them are below what selection
 * asks for, or above.
 */
function explainEmpty(
  { round, target, samples, meanGap, gapQuartiles, meanLossGap, outOfBounds }: SelectionCount,
  { selection, lossMetric }: ExchangeSummary["distillation"],
): string {
  const [, , median, , nearest] = gapQuartiles;
  const unit = LOSS_UNITS[lossMetric];
  const gaps = `mean ${formatGain(meanGap)}, median ${formatGain(median)}, at most ${formatGain(nearest)}`;
  const losses = `${target}'s loss less the best source's`;
  const reasons = [
    selection === "token" ? `the best source's advantage by token, ${unit}: ${gaps}` : `${losses}, ${unit}: ${gaps}`,
    ...(meanLossGap === undefined ? [] : [`${losses}: mean ${formatGain(meanLossGap)}`]),
    ...(outOfBounds
      ? [
          `somebody was better, but by at most minGap, on ${outOfBounds.near}; by more than maxGap on ${outOfBounds.far}`,
        ]
      : []),
  ];
  return (
    `round ${round}: ${target} learned nothing from others: on none of ${samples} public samples was anyone better by enough ` +
    `(${reasons.join("; ")}).`
  );
}
