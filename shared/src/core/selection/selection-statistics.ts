import type { GapBounds, SelectedSources, SourceLosses } from "./select-knowledge.ts";

/** What a selection comes to: who wins, by how much, and whether the sources agree. S samples. */
export interface SelectionStatistics {
  /** samples won by each source */
  countBySource: number[];
  /** samples that the target itself wins */
  none: number;
  /** for each source: samples on which it is strictly better than the target */
  ahead: number[];
  /** for each source: samples on which it alone is better than the target, so that nobody else could teach them */
  alone: number[];
  /**
   * Share of pairs of sources that stand on the same side of the target's loss, mean over samples; 1 where there is no pair.
   * Near 1 the sources know the same; much less where they complement each other.
   */
  agreement: number;
  /** mean over samples of the gap, target's loss − least source's; 0 without samples */
  meanGap: number;
  /** [5] the least gap, the quartiles and the greatest; zeros without samples */
  gapQuartiles: number[];
  /** samples that nobody won though a source was better: by no more than minGap; by more than maxGap */
  outOfBounds: { near: number; far: number };
}

/**
 * The statistics of what `strict`, `token` or `confidence` chose within bounds, or of what FATE-LLM's rules chose, which have none.
 *
 * @param target - [S] the target's own losses, in the metric by which it was selected
 *
 * Time O(S · sources + S log S).
 */
export function selectionStatistics(
  target: Float64Array,
  sources: readonly SourceLosses[],
  { winner, gaps }: SelectedSources,
  bounds?: GapBounds,
): SelectionStatistics {
  const samples = target.length;
  const countBySource = sources.map(() => 0);
  const ahead = sources.map(() => 0);
  const alone = sources.map(() => 0);
  const pairs = (sources.length * (sources.length - 1)) / 2;
  let none = 0;
  let agreeing = 0;
  const outOfBounds = { near: 0, far: 0 };
  for (let sample = 0; sample < samples; sample++) {
    if (winner[sample] < 0) {
      none++;
      if (bounds !== undefined && gaps[sample] > 0) outOfBounds[gaps[sample] <= bounds.minGap ? "near" : "far"]++;
    } else countBySource[winner[sample]]++;
    const better = sources.flatMap(({ losses }, source) => (losses[sample] < target[sample] ? [source] : []));
    for (const source of better) ahead[source]++;
    if (better.length === 1) alone[better[0]]++;
    const worse = sources.length - better.length;
    agreeing += (better.length * (better.length - 1)) / 2 + (worse * (worse - 1)) / 2;
  }
  const sorted = Float64Array.from(gaps).sort();
  return {
    countBySource,
    none,
    ahead,
    alone,
    agreement: pairs === 0 || samples === 0 ? 1 : agreeing / (pairs * samples),
    meanGap: samples === 0 ? 0 : gaps.reduce((sum, gap) => sum + gap, 0) / samples,
    gapQuartiles: [0, 0.25, 0.5, 0.75, 1].map((share) => quantile(sorted, share)),
    outOfBounds,
  };
}

/** Between the two nearest of the sorted values, in proportion. */
function quantile(sorted: Float64Array, share: number): number {
  if (sorted.length === 0) return 0;
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}
