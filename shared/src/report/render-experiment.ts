import type { ExperimentResults } from "../contracts/experiment-results.ts";
import type { Score } from "../contracts/summary.ts";
import { courseOf } from "./experiment-statistics.ts";
import {
  cellTable,
  comparisonTable,
  DRY_RUN_NOTE,
  experimentNotes,
  formatGainInterval,
  outcomeOf,
  setTable,
  shownFactor,
  shownUnit,
} from "./experiment-tables.ts";
import { type Html, html } from "./html.ts";
import { drawTable } from "./html-table.ts";
import { drawIntervals } from "./interval-chart.ts";
import { drawCurve, drawLegend, type RoundCurve } from "./line-chart.ts";
import { STYLE } from "./style.ts";
import { OWN_VARIANT } from "./table.ts";

type Metric = Score["metric"];

/** Who a chart is about. */
const SIDES = [
  { party: null, name: "clients" },
  { party: "server", name: "server" },
] as const;

/**
 * An experiment's results as one self-contained HTML file: no network, no script. Equal results give equal bytes. Every chart's
 * figures stand in a table too.
 */
export function renderExperiment(results: ExperimentResults): string {
  const { isDryRun, cells, seeds, runs } = results;
  const experiment = `${results.experiment}${isDryRun ? ", dry run" : ""}`;
  const notes = experimentNotes(results);
  const done = runs.filter(({ status }) => status === "done").length;
  const baselines = [...new Set(results.means.map(({ variant }) => variant))].filter(isBaseline);
  return `${
    html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>FedMKT experiment ${experiment}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>FedMKT experiment ${experiment}</h1>
<p class="facts">${cells.length} cell${cells.length === 1 ? "" : "s"}, seed${seeds.length === 1 ? "" : "s"} ${seeds.join(", ")}, ${done} of ${runs.length} run${runs.length === 1 ? "" : "s"} done.</p>
${isDryRun ? html`<p class="note">${DRY_RUN_NOTE}</p>` : null}
</header>
<main>
<section aria-labelledby="gains"><h2 id="gains">Gains</h2>
${gainCharts(results)}
${drawTable(comparisonTable(results))}</section>
<section aria-labelledby="cells"><h2 id="cells">Cells and baselines</h2>
${drawTable(cellTable(results))}</section>
<section aria-labelledby="rounds"><h2 id="rounds">Round by round</h2>
${drawLegend("mean over seeds after each round", baselines)}
<div class="charts">${curves(results, baselines).map(drawCurve)}</div></section>
<section aria-labelledby="sets"><h2 id="sets">Held-out sets</h2>
${drawTable(setTable(results))}</section>
${notes.length === 0 ? null : html`<section aria-labelledby="notes"><h2 id="notes">Notes</h2>${notes.map((note) => html`<p class="note">${note}</p>`)}</section>`}
</main>
</body>
</html>`.text
  }\n`;
}

const isBaseline = (variant: string) => variant !== OWN_VARIANT && variant !== "zero-shot";

function gainCharts({ comparisons }: ExperimentResults): Html[] {
  return metricsIn(comparisons).flatMap((metric) =>
    SIDES.flatMap(({ party, name }) => {
      const shown = comparisons.filter((one) => one.metric === metric && one.party === party);
      if (shown.length === 0) return [];
      return drawIntervals(
        `Gain of the ${name}, ${shownUnit(metric)}, with 95 % intervals over seeds; to the right is better`,
        shown.map((one) => ({
          label: `${one.cell} against ${one.against}`,
          value: one.gain,
          margin: one.margin,
          outcome: outcomeOf(one),
          text: formatGainInterval(one),
        })),
      );
    }),
  );
}

/** Each cell's clients and server by round, in the tables' unit, its baselines as level lines. */
function curves({ cells, scores, means }: ExperimentResults, baselines: readonly string[]): RoundCurve[] {
  return cells.flatMap(({ name: cell }) =>
    metricsIn(scores).flatMap((metric) =>
      SIDES.flatMap(({ party, name }): RoundCurve[] => {
        const course = courseOf(scores, cell, party, metric);
        if (!course.some(([round]) => round > 0)) return [];
        const factor = shownFactor(metric);
        return [
          {
            title: `${cell}: ${name}, ${shownUnit(metric)}`,
            points: course.map(([round, value]) => [round, factor * value]),
            baselines: means
              .filter(
                (mean) =>
                  mean.cell === cell && mean.metric === metric && mean.party === party && isBaseline(mean.variant),
              )
              .map(({ variant, mean }) => ({ name: variant, value: factor * mean, place: baselines.indexOf(variant) })),
          },
        ];
      }),
    ),
  );
}

function metricsIn(list: readonly { metric: Metric }[]): Metric[] {
  return [...new Set(list.map(({ metric }) => metric))];
}
