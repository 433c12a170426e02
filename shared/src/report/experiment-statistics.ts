import type { ExperimentResults, ExperimentScore } from "../contracts/experiment-results.ts";
import type { Score } from "../contracts/summary.ts";
import { pairedDifference } from "../core/statistics/paired-difference.ts";
import { spread } from "../core/statistics/spread.ts";
import { lowerIsBetter, OWN_VARIANT } from "./table.ts";

const ZERO_SHOT = "zero-shot";

type Metric = Score["metric"];
type Scores = readonly ExperimentScore[];

/** What is compared: a cell's own runs with another cell's, or with a baseline of its own. */
export interface Comparison {
  cell: string;
  against: string;
}

/** One side of a comparison or row of a table: a cell's own runs, or one of its baselines. */
interface Side {
  cell: string;
  variant: string;
}

/** Means over seeds of every cell and variant: of all clients together (party null), of the server and of each client. */
export function meansOf(cells: readonly string[], scores: Scores): ExperimentResults["means"] {
  return cells.flatMap((cell) => {
    const ofCell = scores.filter((score) => score.cell === cell);
    return variantsIn(ofCell).flatMap((variant) =>
      metricsIn(ofCell).flatMap((metric) => {
        const values = valuesOf(ofCell, { cell, variant }, metric);
        return whoIn(values).flatMap((party) => {
          const bySeed = [...values.values()].flatMap((ofSeed) => meanFor(ofSeed, party) ?? []);
          return bySeed.length === 0 ? [] : [{ cell, variant, party, metric, ...spread(bySeed) }];
        });
      }),
    );
  });
}

/** A cell's own course: its mean over seeds before the first round (0) and after each, of all clients together or of one party. */
export function courseOf(scores: Scores, cell: string, party: string | null, metric: Metric): [number, number][] {
  const own = scores.filter((score) => score.cell === cell && [ZERO_SHOT, OWN_VARIANT].includes(score.variant));
  const rounds = [...new Set(own.map(({ round }) => round))].sort((a, b) => a - b);
  return rounds.flatMap((round): [number, number][] => {
    const variant = round === 0 ? ZERO_SHOT : OWN_VARIANT;
    const values = valuesOf(
      own.filter((score) => score.round === round),
      { cell, variant },
      metric,
    );
    const bySeed = [...values.values()].flatMap((ofSeed) => meanFor(ofSeed, party) ?? []);
    return bySeed.length === 0 ? [] : [[round, spread(bySeed).mean]];
  });
}

/**
 * Paired differences by seed; nothing where the two sides have no set, party and seed in common.
 * @param baselines - names that are no cells'
 */
export function compareAll(
  comparisons: readonly Comparison[],
  baselines: readonly string[],
  scores: Scores,
): ExperimentResults["comparisons"] {
  return comparisons.flatMap(({ cell, against }) => {
    const first = { cell, variant: OWN_VARIANT };
    const second = baselines.includes(against) ? { cell, variant: against } : { cell: against, variant: OWN_VARIANT };
    return metricsIn(scores).flatMap((metric) => compareSides(scores, first, second, metric, { cell, against }));
  });
}

function compareSides(
  scores: Scores,
  first: Side,
  second: Side,
  metric: Metric,
  named: Comparison,
): ExperimentResults["comparisons"] {
  const [left, right] = inCommon(valuesOf(scores, first, metric), valuesOf(scores, second, metric));
  const sign = lowerIsBetter(metric) ? -1 : 1;
  return whoIn(left).map((party) => {
    const seeds = [...left.keys()].filter((seed) => meanFor(left.get(seed)!, party) !== null);
    const signed = (values: Values) => seeds.map((seed) => sign * meanFor(values.get(seed)!, party)!);
    const { mean, margin, count } = pairedDifference(signed(left), signed(right));
    const pairs = seeds.flatMap((seed) =>
      [...left.get(seed)!.keys()]
        .filter((who) => (party === null ? who !== SERVER : who === party))
        .map((who) => sign * (meanFor(left.get(seed)!, who)! - meanFor(right.get(seed)!, who)!)),
    );
    const better = pairs.filter((gain) => gain > 0).length;
    return { ...named, party, metric, gain: mean, margin, count, better, of: pairs.length };
  });
}

/** Seed → party → set → value after the party's last round. */
type Values = Map<number, Map<string, Map<string, number>>>;

const SERVER = "server";

function valuesOf(scores: Scores, { cell, variant }: Side, metric: Metric): Values {
  const values: Values = new Map();
  const rounds = new Map<string, number>();
  for (const score of scores) {
    if (score.cell !== cell || score.variant !== variant || score.metric !== metric) continue;
    const key = JSON.stringify([score.seed, score.party, score.set]);
    if ((rounds.get(key) ?? -1) > score.round) continue;
    rounds.set(key, score.round);
    const ofSeed = getOrMake(values, score.seed, () => new Map<string, Map<string, number>>());
    getOrMake(ofSeed, score.party, () => new Map<string, number>()).set(score.set, score.value);
  }
  return values;
}

/** Both with what both have alone. */
function inCommon(left: Values, right: Values): [Values, Values] {
  const keep = (values: Values, others: Values): Values =>
    new Map(
      [...values].flatMap(([seed, parties]) => {
        const kept = [...parties].flatMap(([party, sets]) => {
          const common = [...sets].filter(([set]) => others.get(seed)?.get(party)?.has(set));
          return common.length === 0 ? [] : [[party, new Map(common)] as const];
        });
        return kept.length === 0 ? [] : [[seed, new Map(kept)] as const];
      }),
    );
  return [keep(left, right), keep(right, left)];
}

/** Mean over sets, and over clients where `party` is null; null where nobody of them was scored. */
function meanFor(parties: ReadonlyMap<string, ReadonlyMap<string, number>>, party: string | null): number | null {
  const meant = [...parties].filter(([name]) => (party === null ? name !== SERVER : name === party));
  if (meant.length === 0) return null;
  return spread(meant.map(([, sets]) => spread([...sets.values()]).mean)).mean;
}

/** Who has a mean: all clients together first, then the server, then each client where there are several. */
function whoIn(values: Values): (string | null)[] {
  const parties = [...new Set([...values.values()].flatMap((ofSeed) => [...ofSeed.keys()]))];
  const clients = parties.filter((party) => party !== SERVER);
  return [...(clients.length > 0 ? [null] : []), ...(parties.includes(SERVER) ? [SERVER] : []), ...clients];
}

function variantsIn(scores: Scores): string[] {
  const found = [...new Set(scores.map(({ variant }) => variant))];
  return [...found.filter((variant) => variant === OWN_VARIANT), ...found.filter((variant) => variant !== OWN_VARIANT)];
}

function metricsIn(scores: Scores): Metric[] {
  return [...new Set(scores.map(({ metric }) => metric))];
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
