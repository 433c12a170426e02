import type { Burst } from "./peer.ts";

/** What one peer did under one load, over all bursts of it. */
export interface LoadFigures {
  /** of all requests together, from their sending to the last answer's end: that of the median burst */
  tokensPerSecond: number;
  bestTokensPerSecond: number;
  firstTokenMs: { median: number; p95: number };
  /** from a request's first token on, per token: the median request's */
  laterTokenMs: number;
  /** processor time of all bursts / their new tokens: prompts included */
  processorMsPerToken: number;
}

/** @param tokens - new ones of each request */
export function loadFigures(bursts: readonly Burst[], tokens: number): LoadFigures {
  const rates = bursts.map(({ seconds, answers }) => (answers.length * tokens) / seconds);
  const answers = bursts.flatMap((burst) => burst.answers);
  const firsts = answers.map(({ firstSeconds }) => firstSeconds * 1000);
  const later = answers.map(({ seconds, firstSeconds }) => ((seconds - firstSeconds) * 1000) / (tokens - 1));
  return {
    tokensPerSecond: figure(quantile(rates, 0.5)),
    bestTokensPerSecond: figure(Math.max(...rates)),
    firstTokenMs: { median: figure(quantile(firsts, 0.5)), p95: figure(quantile(firsts, 0.95)) },
    laterTokenMs: figure(quantile(later, 0.5)),
    processorMsPerToken: figure(
      (bursts.reduce((sum, { processorSeconds }) => sum + processorSeconds, 0) * 1000) / (answers.length * tokens),
    ),
  };
}

/** The nearest rank: the least value that so large a share is not above. */
export function quantile(values: readonly number[], share: number): number {
  const ascending = values.toSorted((a, b) => a - b);
  return ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)];
}

/** Four digits. */
export function figure(value: number): number {
  return Number(value.toPrecision(4));
}
