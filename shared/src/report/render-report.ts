import type { RunSummary, Scenario } from "../contracts/summary.ts";
import { type Bar, drawBars } from "./bar-chart.ts";
import { emptyTransfers } from "./empty-transfers.ts";
import { html } from "./html.ts";
import { drawTable } from "./html-table.ts";
import { drawCurve, drawLegend, type RoundCurve, seriesColor } from "./line-chart.ts";
import {
  describeMethod,
  exchangedBytes,
  scoreTable,
  selectionTable,
  type TextTable,
  trainingTable,
  transferTable,
} from "./run-tables.ts";
import { STYLE } from "./style.ts";
import { formatBytes, formatShare, OWN_VARIANT, scoreRows, scoreVariants, unitOf, verdicts } from "./table.ts";

/**
 * A run's report as one self-contained HTML file: no network, no script. Equal summaries give equal bytes.
 * Every chart's figures stand in a table too.
 */
export function renderReport(summary: RunSummary): string {
  const baselines = scoreVariants(summary).filter((name) => name !== OWN_VARIANT);
  return `${
    html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>FedMKT run ${summary.run}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>FedMKT run ${summary.run}</h1>
<p class="facts">${describeScenario(summary)}${summary.rounds} round${summary.rounds === 1 ? "" : "s"}, ${summary.parties.length - 1} client${summary.parties.length === 2 ? "" : "s"}, ${summary.publicSamples} public samples, ${describeMethod(summary)}, seed ${summary.seed}, ${formatBytes(exchangedBytes(summary))} of knowledge exchanged. Spec ${summary.specHash.slice(0, 12)}.${summary.simulation ? " A simulation: every party is scored on every held-out set." : ""}${describeStop(summary)}</p>
</header>
<main>
<section aria-labelledby="verdicts"><h2 id="verdicts">What each party learned from the others</h2>
<ul class="verdicts">${verdicts(summary).map(({ outcome, sentence }) => html`<li class="${outcome}">${sentence}</li>`)}</ul></section>
<section aria-labelledby="scores"><h2 id="scores">Scores</h2>
${drawTable(scoreTable(summary))}
${drawLegend("after each round", baselines)}
<div class="charts">${curves(summary, baselines).map(drawCurve)}</div></section>
<section aria-labelledby="selection"><h2 id="selection">Selection</h2>
${drawBars("Public samples by whose knowledge was learned; grey: nobody's", selectionBars(summary))}
${emptyTransfers(summary).map((sentence) => html`<p class="note">${sentence}</p>`)}
${drawTable(selectionTable(summary))}</section>
<section aria-labelledby="transfer"><h2 id="transfer">Transfer</h2>
${drawBars("Answer positions aligned", transferBars(summary, "alignedShare"))}
${drawBars("Probability mass kept at aligned positions", transferBars(summary, "keptMass"))}
${drawBars("Bytes exchanged", byteBars(summary))}
${drawTable(transferTable(summary))}</section>
<section aria-labelledby="training"><h2 id="training">Training</h2>${drawTable(trainingTable(summary))}</section>
<section aria-labelledby="parties"><h2 id="parties">Parties</h2>${drawTable(partyTable(summary))}</section>
</main>
</body>
</html>`.text
  }\n`;
}

const SCENARIO_WORDS = {
  heterogeneous: "Heterogeneous: clients' models differ. ",
  homogeneous: "Homogeneous: all clients have one model. ",
  "one-to-one": "One-to-one: a server and one client. ",
  "one-way": "One-way: clients learn from the server, which learns from nobody. ",
  "no transfer": "No transfer: nobody's knowledge goes anywhere. ",
} as const satisfies Record<Scenario, string>;

/** Empty where the summary does not say. */
function describeScenario({ scenario }: RunSummary): string {
  return scenario === undefined ? "" : SCENARIO_WORDS[scenario];
}

const STOPPED = { budget: "its budget was used up", request: "it was asked to" } as const;

/** Empty for a run that went to its end, and all of its baselines with it. */
function describeStop({ stopped, rounds, baselines, variants }: RunSummary): string {
  const left = variants.filter((variant) => variant.rounds < rounds);
  const reason = stopped?.reason ?? left.find((variant) => variant.stopped !== null)?.stopped;
  if (!reason) return "";
  const whole = stopped === null || stopped.afterRound === rounds;
  const trained = baselines.filter((name) => name !== "zero-shot").length;
  const compared = trained > 0 && !whole ? ` Baselines in the table were trained for all ${rounds}.` : "";
  const without =
    left.length > 0
      ? ` Without scores, since cut off: ${left.map((variant) => `${variant.name} (${variant.rounds} of ${rounds} rounds)`).join(", ")}.`
      : "";
  const ended = whole ? "after its own rounds" : `after round ${stopped.afterRound} of ${rounds}`;
  return ` The run ended ${ended}, since ${STOPPED[reason]}.${compared}${without}`;
}

function partyTable(summary: RunSummary): TextTable {
  return {
    title: "Models and adapters",
    columns: [
      { name: "party", align: "left" },
      { name: "vocabulary", align: "right" },
      { name: "context", align: "right" },
      { name: "adapter", align: "left" },
    ],
    rows: summary.parties.map(({ id, vocabularySize, contextTokens }) => [
      { text: id },
      { text: String(vocabularySize) },
      { text: String(contextTokens) },
      { text: summary.adapters.find(({ party }) => party === id)?.folder ?? "–" },
    ]),
    note: "vocabulary and context in tokens; adapters are PEFT folders.",
  };
}

function curves(summary: RunSummary, baselines: readonly string[]): RoundCurve[] {
  return scoreRows(summary).flatMap(({ party, set, metric, cells }) => {
    const scored = summary.scores.filter(
      (score) => score.party === party && score.set === set && score.metric === metric,
    );
    const own = scored.filter(({ variant }) => variant === OWN_VARIANT).sort((a, b) => a.round - b.round);
    if (own.length === 0) return [];
    const start = scored.filter(({ variant }) => variant === "zero-shot");
    return {
      title: `${party} on ${set}, ${unitOf(metric)}`,
      points: [
        ...start.map(({ value }) => [0, value] as const),
        ...own.map(({ round, value }) => [round, value] as const),
      ],
      baselines: cells
        .filter((cell) => cell !== null && cell.variant !== OWN_VARIANT)
        .map((cell) => ({ name: cell!.variant, value: cell!.value, place: baselines.indexOf(cell!.variant) })),
    };
  });
}

function selectionBars(summary: RunSummary): Bar[] {
  const parties = summary.parties.map(({ id }) => id);
  return summary.selections.map(({ round, target, samples, bySource, none }) => ({
    label: `round ${round}, ${target} learns`,
    parts: [
      ...Object.entries(bySource).map(([source, count]) => ({
        name: `${count} from ${source}`,
        value: count,
        color: seriesColor(Math.max(0, parties.indexOf(source))),
      })),
      { name: `${none} from nobody`, value: none, color: "var(--none)" },
    ],
    whole: samples,
    text: `${samples - none} of ${samples}`,
  }));
}

function transferBars(summary: RunSummary, share: "alignedShare" | "keptMass"): Bar[] {
  return summary.transfers.map((transfer) => ({
    label: `round ${transfer.round}, ${transfer.source} → ${transfer.target}`,
    parts: [{ name: formatShare(transfer[share]), value: transfer[share], color: "var(--s0)" }],
    whole: 1,
    text: formatShare(transfer[share]),
  }));
}

function byteBars(summary: RunSummary): Bar[] {
  const most = Math.max(1, ...summary.transfers.map(({ bytes }) => bytes));
  return summary.transfers.map(({ round, source, target, bytes }) => ({
    label: `round ${round}, ${source} → ${target}`,
    parts: [{ name: formatBytes(bytes), value: bytes, color: "var(--s2)" }],
    whole: most,
    text: formatBytes(bytes),
  }));
}
