import { BASELINES, type Baseline } from "../contracts/run-spec.ts";
import { SCORE_METRICS } from "../contracts/score-metrics.ts";
import type { RunSummary, Score } from "../contracts/summary.ts";

/** The variant that is the method itself; all others are baselines. */
export const OWN_VARIANT = "fedmkt";
const SERVER = "server";
/** What a client, and what the server, trains on in a run, without the transfer. */
const SAME_LABELS = ["standalone+public", "public-only", "no-distillation"] as const satisfies readonly Baseline[];
/** Those under which nobody's knowledge, weights or data reached a party but its own. */
const ALONE: readonly string[] = [...SAME_LABELS, "standalone"] satisfies readonly Baseline[];
/** Differences below this are noise of the last printed digit. */
const SMALLEST_GAIN = 0.0005;

export interface ScoreCell {
  variant: string;
  value: number;
  /** the best of the row; ties are all best */
  best: boolean;
}

/** One party on one set by one metric. */
export interface ScoreRow {
  party: string;
  set: string;
  metric: Score["metric"];
  /** only another party holds this domain's data */
  foreign: boolean;
  /** in the order of {@link scoreVariants}; null where a variant was not scored */
  cells: (ScoreCell | null)[];
  /** how much better the last round is than the same labels with nothing from others; positive is better, whatever the metric; null without a baseline that saw labels */
  gain: number | null;
  /** that baseline */
  against: string | null;
}

/** Columns: zero-shot first, then the other baselines that were run, the method's last round at the end. */
export function scoreVariants(summary: RunSummary): string[] {
  const found = new Set(summary.scores.map(({ variant }) => variant));
  const known: string[] = BASELINES.filter((name) => found.delete(name));
  const own = found.delete(OWN_VARIANT);
  return [...known, ...[...found].sort(), ...(own ? [OWN_VARIANT] : [])];
}

/** Every party on every set it was scored on, in the order of parties and sets; values are the last round's. */
export function scoreRows(summary: RunSummary): ScoreRow[] {
  const variants = scoreVariants(summary);
  const rows: ScoreRow[] = [];
  for (const { id: party } of summary.parties)
    for (const set of summary.sets) {
      const scored = summary.scores.filter((score) => score.party === party && score.set === set.name);
      for (const metric of [...new Set(scored.map((score) => score.metric))]) {
        const ofMetric = scored.filter((score) => score.metric === metric);
        const values = variants.map((variant) => lastValue(ofMetric, variant));
        const best = bestOf(metric, values);
        const { gain, against } = gainOverLabels(metric, variants, values);
        rows.push({
          party,
          set: set.name,
          metric,
          foreign: set.owner !== null && set.owner !== party,
          cells: values.map((value, index) =>
            value === null ? null : { variant: variants[index], value, best: value === best },
          ),
          gain,
          against,
        });
      }
    }
  return rows;
}

export function lowerIsBetter(metric: Score["metric"]): boolean {
  return SCORE_METRICS[metric].better === "less";
}

function lastValue(scores: readonly Score[], variant: string): number | null {
  const ofVariant = scores.filter((score) => score.variant === variant);
  return (
    ofVariant.reduce<Score | null>((last, score) => (last === null || score.round > last.round ? score : last), null)
      ?.value ?? null
  );
}

function bestOf(metric: Score["metric"], values: readonly (number | null)[]): number | null {
  const present = values.filter((value) => value !== null);
  if (present.length === 0) return null;
  return lowerIsBetter(metric) ? Math.min(...present) : Math.max(...present);
}

/**
 * Against the baseline that saw exactly the party's labels, in the same order, and nothing from others: what is left is the
 * transfer's doing, or, under `aggregation: fedavg`, that of transfer and averaging together, which the figure cannot tell
 * apart. Where it was not run, against the best of those that saw labels at all.
 */
function gainOverLabels(metric: Score["metric"], variants: readonly string[], values: readonly (number | null)[]) {
  const valueUnder = (variant: string) => values[variants.indexOf(variant)] ?? null;
  const own = valueUnder(OWN_VARIANT);
  const labelled = variants.filter((name) => ALONE.includes(name) && valueUnder(name) !== null);
  const strongest = bestOf(metric, labelled.map(valueUnder));
  const against =
    SAME_LABELS.find((name) => labelled.includes(name)) ?? labelled.find((name) => valueUnder(name) === strongest);
  if (own === null || against === undefined) return { gain: null, against: null };
  const other = valueUnder(against)!;
  return { gain: lowerIsBetter(metric) ? other - own : own - other, against };
}

/** Whether a party learned what only others hold, beyond what labels alone gave it. */
export interface Verdict {
  party: string;
  outcome: "gained" | "mixed" | "not-gained" | "unknown";
  /** the outcome in words, with the figures */
  sentence: string;
}

/** One verdict a party, on the domains that only others hold. */
export function verdicts(summary: RunSummary): Verdict[] {
  const rows = scoreRows(summary);
  return summary.parties.map(({ id: party }) => {
    const foreign = rows.filter((row) => row.party === party && row.foreign);
    const isScored = (score: Score) => score.party === party;
    const { direction } = summary.distillation;
    if (direction !== "both" && party === SERVER)
      return { party, outcome: "unknown", sentence: `${party}: did not learn in this run (direction: ${direction}).` };
    if (summary.scores.some(isScored) && !summary.scores.some((one) => isScored(one) && one.variant === OWN_VARIANT))
      return { party, outcome: "unknown", sentence: `${party}: had not come when the run ended.` };
    if (foreign.length === 0) {
      const others = summary.sets.some(({ owner }) => owner !== null && owner !== party);
      const reason = others
        ? "without simulation a held-out set that has an owner is scored by that party alone"
        : "no such held-out set names its owner";
      return {
        party,
        outcome: "unknown",
        sentence: `${party}: was scored on no domain that only others hold (${reason}).`,
      };
    }
    const measured = foreign.filter((row) => row.gain !== null);
    if (measured.length === 0)
      return {
        party,
        outcome: "unknown",
        sentence: `${party}: no baseline with labels was run, so what it gained on others' domains cannot be told from labels.`,
      };
    const gained = measured.filter((row) => row.gain! >= SMALLEST_GAIN);
    const figures = measured
      .map((row) => `${row.set} ${formatGain(row.gain!)} ${unitOf(row.metric)} against ${row.against}`)
      .join("; ");
    const [outcome, words] =
      gained.length === measured.length
        ? (["gained", "gained on domains that only others hold, beyond labels alone"] as const)
        : gained.length === 0
          ? (["not-gained", "did not gain on domains that only others hold, beyond labels alone"] as const)
          : ([
              "mixed",
              `gained on ${gained.length} of ${measured.length} domains that only others hold, not on ${measured
                .filter((row) => !gained.includes(row))
                .map((row) => row.set)
                .join(", ")}`,
            ] as const);
    return { party, outcome, sentence: `${party}: ${words} (gain: ${figures}).` };
  });
}

export function formatValue(value: number): string {
  return value.toFixed(3);
}

/** With its sign; a minus sign as wide as the plus. */
export function formatGain(gain: number): string {
  const text = Math.abs(gain).toFixed(3);
  return Number(text) === 0 ? "±0.000" : `${gain < 0 ? "−" : "+"}${text}`;
}

export function unitOf(metric: Score["metric"]): string {
  return SCORE_METRICS[metric].title;
}

export function formatShare(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${BYTE_UNITS[unit]}`;
}
