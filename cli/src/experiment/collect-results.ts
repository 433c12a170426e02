import {
  type ExperimentResults,
  type ExperimentScore,
  experimentResults,
} from "@fedmkt/shared/contracts/experiment-results.ts";
import { figurePlace } from "@fedmkt/shared/contracts/published-figure.ts";
import { BASELINES, type Baseline } from "@fedmkt/shared/contracts/run-spec.ts";
import type { RunSummary, Score } from "@fedmkt/shared/contracts/summary.ts";
import { emptyTransfers } from "@fedmkt/shared/report/empty-transfers.ts";
import { type Comparison, compareAll, meansOf } from "@fedmkt/shared/report/experiment-statistics.ts";
import { OWN_VARIANT } from "@fedmkt/shared/report/table.ts";
import { baselineKey } from "./plan-runs.ts";
import type { Experiment, ExperimentRun } from "./read-experiment.ts";
import type { EndedRun } from "./run-experiment.ts";

/**
 * Everything that has ended so far, as results.json: equal for equal runs, in whatever order and however often broken off.
 * @param ended - in the order in which runs are planned
 */
export function collectResults(
  { isDryRun, file, cells, runs }: Experiment,
  ended: readonly EndedRun[],
): ExperimentResults {
  const baselines = baselineScores(runs, ended);
  const scores: ExperimentScore[] = [];
  const told: ExperimentResults["runs"] = [];
  for (const run of runs) {
    const cell = run.cell.name;
    const own = ended.filter((one) => one.run.cell.name === cell && one.run.seed === run.seed);
    const summary = own.find((one) => one.summary !== null)?.summary ?? null;
    const failure = own.find((one) => one.failure !== null)?.failure ?? null;
    told.push({
      ...{ cell, seed: run.seed, run: run.spec.name },
      status: summary !== null ? "done" : failure !== null ? "failed" : "missing",
      error: summary === null && failure !== null ? `${failure.name}: ${failure.message}` : null,
      emptyTransfers: summary === null ? [] : emptyTransfers(summary),
    });
    if (summary === null) continue;
    const add = (score: Score, from: string) => scores.push({ ...score, cell, seed: run.seed, from });
    for (const score of summary.scores) if (isOfRunItself(score)) add(score, cell);
    for (const baseline of run.spec.baselines) {
      const shared = baselines.get(baselineKey(run, baseline));
      for (const score of shared?.scores ?? []) add(score, shared!.cell);
    }
  }
  const names = cells.map(({ name }) => name);
  return experimentResults.parse({
    version: 1,
    experiment: file.name,
    isDryRun,
    seeds: file.seeds,
    cells: cells.map(({ name, levels }) => ({
      name,
      levels,
      parties: partiesOf(runs.find((run) => run.cell.name === name)!),
    })),
    runs: told,
    scores,
    published: Object.entries(file.published).flatMap(([cell, figures]) =>
      Object.entries(figures).map(([figure, value]) => {
        const { baseline, ...place } = figurePlace(figure)!;
        return { cell, variant: baseline ?? OWN_VARIANT, ...place, value };
      }),
    ),
    means: meansOf(names, scores),
    comparisons: compareAll(file.compare ?? usualComparisons(runs), BASELINES, scores),
  } satisfies Record<keyof ExperimentResults, unknown>);
}

/** Every run scores its parties before the first round. */
function isOfRunItself({ variant }: Score): boolean {
  return variant === "zero-shot" || !BASELINES.some((baseline) => baseline === variant);
}

/** What each baseline's key was found to give, and in which cell: of several, in the first that is planned. */
function baselineScores(
  runs: readonly ExperimentRun[],
  ended: readonly EndedRun[],
): Map<string, { cell: string; scores: Score[] }> {
  const found = new Map<string, { cell: string; scores: Score[] }>();
  for (const { run, summary } of ended)
    for (const baseline of summary === null ? [] : trainedBaselines(summary)) {
      const planned = runs.find((one) => one.cell.name === run.cell.name && one.seed === run.seed);
      if (planned === undefined) continue;
      const key = baselineKey(planned, baseline);
      if (!found.has(key))
        found.set(key, { cell: run.cell.name, scores: summary!.scores.filter(({ variant }) => variant === baseline) });
    }
  return found;
}

function trainedBaselines({ scores }: RunSummary): Baseline[] {
  const variants = new Set(scores.map(({ variant }) => variant));
  return BASELINES.filter((baseline) => baseline !== "zero-shot" && variants.has(baseline));
}

function partiesOf({ spec }: ExperimentRun): string[] {
  return ["server", ...spec.clients.map(({ id }) => id)];
}

/** Each cell with its baselines that see labels, and with the first cell that is scored on the same. */
export function usualComparisons(runs: readonly ExperimentRun[]): Comparison[] {
  const firstOf = new Map<string, string>();
  const found = new Map<string, Comparison[]>();
  for (const { cell, spec } of runs) {
    if (found.has(cell.name)) continue;
    const scored = JSON.stringify([spec.evaluation, spec.simulation]);
    const first = firstOf.get(scored) ?? cell.name;
    firstOf.set(scored, first);
    found.set(
      cell.name,
      [...BASELINES.filter((baseline) => baseline !== "zero-shot" && spec.baselines.includes(baseline)), first]
        .filter((against) => against !== cell.name)
        .map((against) => ({ cell: cell.name, against })),
    );
  }
  return [...found.values()].flat();
}
