import type { RunSummary, Score } from "../../shared/src/contracts/summary.ts";
import { OWN_VARIANT } from "../../shared/src/report/table.ts";
import { CHOICES, type Choice, type Pair } from "./grid.ts";
import { type PairedDifference, pairedDifference, type Spread, spread } from "./statistics.ts";

/** One finished run, as the table needs it. */
export interface Finished {
  pair: Pair;
  choice: Choice;
  seed: number;
  summary: Pick<RunSummary, "scores" | "rounds">;
}

/** Who is averaged over: all clients together, or the server alone. */
const SIDES = ["clients", "server"] as const;
export type Side = (typeof SIDES)[number];

/** What labels alone are, for whom. */
const LABELS_ALONE = { clients: "standalone+public", server: "public-only" } as const;
const LABELS = "labels alone";

export interface TableRow {
  pair: Pair;
  /** "labels alone", or `learn, vocabularyMap` */
  what: string;
  side: Side;
  bitsPerByte: Spread;
  /** to labels alone, over the same seeds; null for themselves. Negative is better */
  difference: PairedDifference | null;
  /** parties better than with labels alone, of all parties of all seeds; null for labels alone */
  better: [number, number] | null;
}

/** One choice against another with everything else equal. Negative is better for the first. */
export interface Contrast {
  pair: Pair;
  side: Side;
  first: string;
  second: string;
  difference: PairedDifference;
}

const choiceName = ({ learn, vocabularyMap }: Choice) => `${learn}, ${vocabularyMap}`;

/** Table rows of a pair's finished runs. A seed counts where all choices of it have ended. */
export function tableRows(finished: readonly Finished[]): TableRow[] {
  return pairsOf(finished).flatMap((pair) => {
    const seeds = wholeSeeds(finished, pair);
    if (seeds.length === 0) return [];
    return SIDES.flatMap((side) => {
      const labels = seeds.map((seed) => labelsOf(finished, pair, seed, side));
      const labelMeans = labels.map(meanOf);
      const alone = { pair, what: LABELS, side, bitsPerByte: spread(labelMeans), difference: null, better: null };
      const rows = CHOICES.map((choice): TableRow => {
        const values = seeds.map((seed) => transferOf(finished, pair, choice, seed, side));
        const better = values.flatMap((ofSeed, index) =>
          [...ofSeed].map(([party, value]) => (value < labels[index]!.get(party)! ? 1 : 0)),
        );
        const means = values.map(meanOf);
        return {
          ...{ pair, what: choiceName(choice), side, bitsPerByte: spread(means) },
          difference: pairedDifference(means, labelMeans),
          better: [better.reduce<number>((sum, one) => sum + one, 0), better.length],
        };
      });
      return [alone, ...rows];
    });
  });
}

/** `group` against `token` and `product` against `min-edit`, each with the other choice held. */
export function contrasts(finished: readonly Finished[]): Contrast[] {
  return pairsOf(finished).flatMap((pair) => {
    const seeds = wholeSeeds(finished, pair);
    if (seeds.length === 0) return [];
    return SIDES.flatMap((side) =>
      CONTRASTED.map(([first, second]) => {
        const means = (choice: Choice) => seeds.map((seed) => meanOf(transferOf(finished, pair, choice, seed, side)));
        const difference = pairedDifference(means(first), means(second));
        return { pair, side, first: choiceName(first), second: choiceName(second), difference };
      }),
    );
  });
}

const choice = (learn: Choice["learn"], vocabularyMap: Choice["vocabularyMap"]) =>
  CHOICES.find((one) => one.learn === learn && one.vocabularyMap === vocabularyMap)!;
const CONTRASTED: readonly (readonly [Choice, Choice])[] = [
  [choice("group", "product"), choice("token", "product")],
  [choice("group", "min-edit"), choice("token", "min-edit")],
  [choice("group", "product"), choice("group", "min-edit")],
  [choice("token", "product"), choice("token", "min-edit")],
];

/** Seeds of which every choice has ended, in order. */
export function wholeSeeds(finished: readonly Finished[], pair: Pair): number[] {
  const ofPair = finished.filter((one) => one.pair === pair);
  return [...new Set(ofPair.map(({ seed }) => seed))]
    .filter((seed) => CHOICES.every((choice) => ofPair.some((one) => one.seed === seed && one.choice === choice)))
    .sort((left, right) => left - right);
}

const pairsOf = (finished: readonly Finished[]) => [...new Set(finished.map(({ pair }) => pair))];

function transferOf(finished: readonly Finished[], pair: Pair, choice: Choice, seed: number, side: Side) {
  const { summary } = finished.find((one) => one.pair === pair && one.choice === choice && one.seed === seed)!;
  return partyMeans(summary.scores, OWN_VARIANT, summary.rounds, side);
}

/** The run that trained them is the first choice's. */
function labelsOf(finished: readonly Finished[], pair: Pair, seed: number, side: Side) {
  const { summary } = finished.find((one) => one.pair === pair && one.choice === CHOICES[0] && one.seed === seed)!;
  return partyMeans(summary.scores, LABELS_ALONE[side], summary.rounds, side);
}

/** Party → its mean over the held-out domains after the last round. */
export function partyMeans(
  scores: readonly Score[],
  variant: string,
  round: number,
  side: Side,
): ReadonlyMap<string, number> {
  const values = new Map<string, number[]>();
  for (const score of scores) {
    const isMeant = score.metric === "bits-per-byte" && score.variant === variant && score.round === round;
    if (!isMeant || (score.party === "server") !== (side === "server")) continue;
    values.set(score.party, [...(values.get(score.party) ?? []), score.value]);
  }
  if (values.size === 0) throw new Error(`${side}: expected scores of ${variant} after round ${round}, found none`);
  return new Map([...values].map(([party, ofParty]) => [party, spread(ofParty).mean]));
}

const meanOf = (values: ReadonlyMap<string, number>) => spread([...values.values()]).mean;

/** The table as Markdown. */
export function formatTable(rows: readonly TableRow[]): string {
  const lines = rows.map(({ pair, side, what, bitsPerByte: { mean, deviation, count }, difference, better }) => {
    const against = difference === null ? "–" : formatDifference(difference);
    const parties = better === null ? "–" : `${better[0]} of ${better[1]}`;
    return `| ${pair} | ${side} | ${what} | ${mean.toFixed(3)} ± ${deviation.toFixed(3)} | ${against} | ${parties} | ${count} |`;
  });
  return [
    "| pair | who | learn, map | bits per byte | less labels alone, 95 % | better than labels alone | seeds |",
    "|---|---|---|---|---|---|---|",
    ...lines,
  ].join("\n");
}

/** The contrasts as Markdown. */
export function formatContrasts(found: readonly Contrast[]): string {
  const lines = found.map(
    ({ pair, side, first, second, difference }) =>
      `| ${pair} | ${side} | ${first} | ${second} | ${formatDifference(difference)} |`,
  );
  return ["| pair | who | first | second | first less second, 95 % |", "|---|---|---|---|---|", ...lines].join("\n");
}

function formatDifference({ mean, margin }: PairedDifference): string {
  return margin === null ? signed(mean) : `${signed(mean)} ± ${margin.toFixed(4)}`;
}

const signed = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(4)}`;
