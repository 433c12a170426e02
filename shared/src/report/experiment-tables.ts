import { CLIENTS, type ExperimentResults } from "../contracts/experiment-results.ts";
import { BASELINES } from "../contracts/run-spec.ts";
import type { Score } from "../contracts/summary.ts";
import { type Spread, spread } from "../core/statistics/spread.ts";
import type { TextTable } from "./run-tables.ts";
import { lowerIsBetter, OWN_VARIANT, unitOf } from "./table.ts";

type Metric = Score["metric"];
type Mean = ExperimentResults["means"][number];
type Compared = ExperimentResults["comparisons"][number];

/** Stands with the figures of a dry run, which look like any other. */
export const DRY_RUN_NOTE =
  "Of tiny random models and a few samples: that there are figures says that the cells run, what they are says nothing.";

const left = (name: string) => ({ name, align: "left" as const });
const right = (name: string) => ({ name, align: "right" as const });
const plain = (text: string | number) => ({ text: String(text) });
const NOTHING = plain("–");

/** What a figure is of. */
type Place = Pick<ExperimentResults["published"][number], "cell" | "variant" | "party" | "set" | "metric">;
const placeKey = ({ cell, variant, party, set, metric }: Place) => JSON.stringify([cell, variant, party, set, metric]);

/** A share of questions is told in per cent, as papers do; a loss as it is. */
export function shownFactor(metric: Metric): number {
  return lowerIsBetter(metric) ? 1 : 100;
}

export function shownUnit(metric: Metric): string {
  return lowerIsBetter(metric) ? unitOf(metric) : `${unitOf(metric)}, %`;
}

const decimals = (metric: Metric) => (lowerIsBetter(metric) ? 4 : 2);

function formatSpread({ mean, deviation }: Pick<Spread, "mean" | "deviation">, metric: Metric): string {
  const show = (value: number) => (value * shownFactor(metric)).toFixed(decimals(metric));
  return deviation === null ? show(mean) : `${show(mean)} ± ${show(deviation)}`;
}

export function formatGainInterval({ gain, margin, metric }: Pick<Compared, "gain" | "margin" | "metric">): string {
  const show = (value: number) => (Math.abs(value) * shownFactor(metric)).toFixed(decimals(metric));
  const sign = Number(show(gain)) === 0 ? "±" : gain < 0 ? "−" : "+";
  return margin === null ? `${sign}${show(gain)}` : `${sign}${show(gain)} ± ${show(margin)}`;
}

/** Every cell and its baselines; a baseline that several cells share once, under the cell that trained it. */
export function cellTable({ cells, means, scores }: ExperimentResults): TextTable {
  const parties = [...new Set(cells.flatMap((cell) => cell.parties))].filter((party) => party !== "server");
  const trainedElsewhere = new Set(
    scores.filter(({ cell, from }) => from !== cell).map(({ cell, variant }) => JSON.stringify([cell, variant])),
  );
  const rows = new Map<string, Mean[]>();
  for (const mean of means) {
    const key = JSON.stringify([mean.cell, mean.variant, mean.metric]);
    if (!trainedElsewhere.has(JSON.stringify([mean.cell, mean.variant])))
      rows.set(key, [...(rows.get(key) ?? []), mean]);
  }
  const of = (ofRow: readonly Mean[], party: string | null) => {
    const found = ofRow.find((mean) => mean.party === party);
    return found === undefined ? NOTHING : plain(formatSpread(found, found.metric));
  };
  return {
    title: "Cells and baselines",
    columns: [
      ...[left("cell"), left("what"), left("unit"), right("seeds"), right("clients"), right("server")],
      ...(parties.length > 1 ? parties.map(right) : []),
    ],
    rows: [...rows.values()].map((ofRow) => [
      plain(ofRow[0].cell),
      plain(ofRow[0].variant),
      plain(shownUnit(ofRow[0].metric)),
      plain(Math.max(...ofRow.map(({ count }) => count))),
      of(ofRow, null),
      of(ofRow, "server"),
      ...(parties.length > 1 ? parties.map((party) => of(ofRow, party)) : []),
    ]),
    note: `Mean over a party's held-out sets after its last round, and over clients; then mean ± sample standard deviation over seeds. ${OWN_VARIANT}: the cell's own runs.`,
  };
}

/** Paired differences by seed, of all clients together and of the server. */
export function comparisonTable({ comparisons }: ExperimentResults): TextTable {
  const rows = new Map<string, Compared[]>();
  for (const one of comparisons) {
    const key = JSON.stringify([one.cell, one.against, one.metric]);
    rows.set(key, [...(rows.get(key) ?? []), one]);
  }
  const of = (ofRow: readonly Compared[], party: string | null): TextTable["rows"][number] => {
    const found = ofRow.find((one) => one.party === party);
    if (found === undefined) return [NOTHING, NOTHING];
    const outcome = outcomeOf(found);
    return [
      { text: formatGainInterval(found), ...(outcome === "open" ? {} : { gain: outcome }) },
      plain(`${found.better} of ${found.of}`),
    ];
  };
  return {
    title: "Gains over baselines and other cells, seed by seed",
    columns: [
      ...[left("cell"), left("against"), left("unit"), right("seeds")],
      ...[right("clients"), right("better"), right("server"), right("better")],
    ],
    rows: [...rows.values()].map((ofRow) => [
      ...[plain(ofRow[0].cell), plain(ofRow[0].against), plain(shownUnit(ofRow[0].metric))],
      plain(Math.max(...ofRow.map(({ count }) => count))),
      ...of(ofRow, null),
      ...of(ofRow, "server"),
    ]),
    note: "Mean gain ± half the 95 % interval by Student's t; positive is better, whatever the unit. better: parties that gained, of all parties of all seeds.",
  };
}

/** Whether the interval lies on one side of zero. */
export function outcomeOf({ gain, margin }: Pick<Compared, "gain" | "margin">): "better" | "worse" | "open" {
  if (margin === null || Math.abs(gain) <= margin) return "open";
  return gain > 0 ? "better" : "worse";
}

/** Every party on every held-out set, and baselines that others published figures of; each beside what they published. */
export function setTable({ cells, scores, published }: ExperimentResults): TextTable {
  const figures = new Map(published.map((figure) => [placeKey(figure), figure]));
  /** by place the value after the last round, of each seed */
  const found = new Map<string, Place & { bySeed: Map<number, { round: number; value: number }> }>();
  for (const score of scores) {
    const key = placeKey(score);
    const { cell, variant, party, set, metric, seed, round, value } = score;
    const row = found.get(key) ?? { cell, variant, party, set, metric, bySeed: new Map() };
    found.set(key, row);
    if ((row.bySeed.get(seed)?.round ?? 0) <= round) row.bySeed.set(seed, { round, value });
  }
  const valuesOf = (key: string) => [...(found.get(key)?.bySeed.values() ?? [])].map(({ value }) => value);
  const clientsOf = (place: Place) =>
    cells
      .find(({ name }) => name === place.cell)!
      .parties.filter((party) => party !== "server")
      .flatMap((party) => found.get(placeKey({ ...place, party })) ?? []);
  const ofClients = (place: Place) => {
    const clients = clientsOf(place);
    const seeds = [...new Set(clients.flatMap(({ bySeed }) => [...bySeed.keys()]))];
    return seeds.map((seed) => spread(clients.flatMap(({ bySeed }) => bySeed.get(seed)?.value ?? [])).mean);
  };
  const row = (place: Place, party: string, values: readonly number[]) => {
    const figure = figures.get(placeKey(place));
    return [
      ...[plain(place.cell), plain(place.variant), plain(party), plain(place.set), plain(shownUnit(place.metric))],
      plain(values.length),
      plain(formatSpread(spread(values), place.metric)),
      figure === undefined ? NOTHING : plain(figure.value.toFixed(decimals(place.metric))),
    ];
  };
  // the method itself and whatever others scored beside it stand together
  const scored = new Map([...found.values()].map((place) => [placeKey({ ...place, variant: "" }), place]));
  return {
    title: "Every party on every held-out set",
    columns: [
      ...[left("cell"), left("what"), left("party"), left("set"), left("unit")],
      ...[right("seeds"), right("after the last round"), right("published")],
    ],
    rows: [
      ...[...scored.values()].flatMap((place) =>
        [OWN_VARIANT, ...BASELINES]
          .map((variant) => ({ ...place, variant }))
          .filter((one) => found.has(placeKey(one)) && (one.variant === OWN_VARIANT || figures.has(placeKey(one))))
          .map((one) => row(one, one.party, valuesOf(placeKey(one)))),
      ),
      ...published
        .filter((figure) => figure.party === CLIENTS && clientsOf(figure).length > 0)
        .map((figure) => row(figure, "clients' mean", ofClients(figure))),
    ],
    note: `Mean ± sample standard deviation over seeds. ${OWN_VARIANT}: the cell's own runs. published: what others report for such a run, as the experiment's file has it; of baselines, those that they report.`,
  };
}

/** What of the runs' exchange came to nothing, and which runs are not there: a sentence each. */
export function experimentNotes({ runs, cells }: ExperimentResults): string[] {
  const missing = runs.filter(({ status }) => status === "missing").length;
  return [
    ...(missing > 0 ? [`${missing} of ${runs.length} runs ${missing === 1 ? "has" : "have"} not ended.`] : []),
    ...runs
      .filter(({ error }) => error !== null)
      .map(({ cell, seed, error }) => `${cell}, seed ${seed} failed: ${error}`),
    ...cells.flatMap(({ name }) => {
      const told = runs.filter(({ cell, emptyTransfers }) => cell === name && emptyTransfers.length > 0);
      if (told.length === 0) return [];
      const [first] = told;
      const more = told.reduce((sum, { emptyTransfers }) => sum + emptyTransfers.length, 0) - 1;
      return [
        `${name}, seed ${first.seed}, ${first.emptyTransfers[0]}${more > 0 ? ` And ${more} more such in this cell's runs (results.json).` : ""}`,
      ];
    }),
  ];
}
