import { formatShare } from "@fedmkt/shared/report/table.ts";
import type { Figure } from "./inspection.ts";

/** Where the quantiles of a spread are taken. */
const QUANTILES = [0.05, 0.5, 0.95] as const;

export type Format = (value: number) => string;

export function figure(value: number, format: Format): Figure {
  return { value, text: format(value) };
}

/** Mean, ends and quantiles of some numbers: the quantile q is the number of rank ⌈q·n⌉. */
export function spreadOf(values: ArrayLike<number>, format: Format): Figure {
  if (values.length === 0) return { value: null, text: "none" };
  const sorted = Float64Array.from(values).sort();
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  const [low, median, high] = QUANTILES.map((share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]);
  const [least, most] = [sorted[0], sorted[sorted.length - 1]];
  const middle = sorted.length < 3 ? "" : `, median ${format(median)}, 90 % from ${format(low)} to ${format(high)}`;
  return {
    value: { mean, least, most, quantiles: { "0.05": low, "0.5": median, "0.95": high } },
    text:
      least === most
        ? `always ${format(least)}`
        : `mean ${format(mean)}, from ${format(least)} to ${format(most)}${middle}`,
  };
}

/** A part of a whole, by number and share. */
export function partOf(part: number, whole: number): Figure {
  const share = whole === 0 ? null : part / whole;
  return { value: { count: part, share }, text: share === null ? `${part}` : `${part} (${formatShare(share)})` };
}

/** A mean over a count that may be 0, as a share. */
export function shareOf(part: number, whole: number): Figure {
  return whole === 0 ? { value: null, text: "none" } : figure(part / whole, formatShare);
}

/** The ids with the largest numbers, ties by lower id. */
export function largest(numbers: ArrayLike<number>, limit: number): number[] {
  return Array.from(numbers, (number, id) => ({ number, id }))
    .filter(({ number }) => number > 0)
    .sort((a, b) => b.number - a.number || a.id - b.id)
    .slice(0, limit)
    .map(({ id }) => id);
}

export interface Bin {
  /** such as `3–4` */
  name: string;
  least: number;
  most: number;
  count: number;
}

/** Whole numbers from 1 in bins that double: 1, 2, 3–4, 5–8 and so on, without the empty ones at the end. */
export function doublingBins(values: Iterable<number>): Bin[] {
  const bins: Bin[] = [];
  for (const value of values) {
    const index = Math.ceil(Math.log2(value));
    while (bins.length <= index) {
      const least = bins.length === 0 ? 1 : 2 ** (bins.length - 1) + 1;
      const most = 2 ** bins.length;
      bins.push({ name: least === most ? `${least}` : `${least}–${most}`, least, most, count: 0 });
    }
    bins[index].count++;
  }
  return bins;
}

/** Bins on one line: `1: 12 (60.0 %), 2: 8 (40.0 %)`. */
export function formatBins(bins: readonly Bin[], whole: number): string {
  const parts = bins.filter(({ count }) => count > 0).map(({ name, count }) => `${name}: ${partOf(count, whole).text}`);
  return parts.length === 0 ? "none" : parts.join(", ");
}
