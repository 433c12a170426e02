import { type Html, html } from "./html.ts";
import { SERIES_COLORS, SERIES_DASHES } from "./style.ts";
import { formatValue } from "./table.ts";

const WIDTH = 320;
const HEIGHT = 190;
const MARGIN = { left: 44, right: 8, top: 8, bottom: 22 };

/** One party on one set, round by round. */
export interface RoundCurve {
  title: string;
  /** [round, value], ascending */
  points: readonly (readonly [number, number])[];
  /** level lines; `place` chooses colour and dashes, the same for the same baseline in every chart */
  baselines: readonly { name: string; value: number; place: number }[];
}

/** A small chart: the method's values by round, the baselines as level lines. Its title holds all figures in words. */
export function drawCurve({ title, points, baselines }: RoundCurve): Html {
  const values = [...points.map(([, value]) => value), ...baselines.map(({ value }) => value)];
  const low = Math.min(...values);
  const high = Math.max(...values);
  const room = (high - low || Math.abs(high) || 1) * 0.08;
  const first = Math.min(...points.map(([round]) => round));
  const last = Math.max(...points.map(([round]) => round));
  const x = (round: number) =>
    last === first
      ? (MARGIN.left + WIDTH - MARGIN.right) / 2
      : MARGIN.left + ((round - first) / (last - first)) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (value: number) =>
    MARGIN.top + ((high + room - value) / (high - low + 2 * room)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const words = [
    ...points.map(([round, value]) => `round ${round}: ${formatValue(value)}`),
    ...baselines.map(({ name, value }) => `${name}: ${formatValue(value)}`),
  ].join("; ");
  return html`<figure><figcaption>${title}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}. ${words}"><title>${title}. ${words}</title>
${[low, high].map((value) => html`<line class="axis" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${place(y(value))}" y2="${place(y(value))}"/><text x="${MARGIN.left - 4}" y="${place(y(value) + 4)}" text-anchor="end">${formatValue(value)}</text>`)}
${[...new Set([first, last])].map((round) => html`<text x="${place(x(round))}" y="${HEIGHT - 6}" text-anchor="${round === first && first !== last ? "start" : round === last && first !== last ? "end" : "middle"}">round ${round}</text>`)}
${baselines.map(({ value, place: at }) => html`<line class="base" stroke="${seriesColor(at)}" stroke-dasharray="${seriesDash(at)}" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${place(y(value))}" y2="${place(y(value))}"/>`)}
<polyline class="own" points="${points.map(([round, value]) => `${place(x(round))},${place(y(value))}`).join(" ")}"/>
${points.map(([round, value]) => html`<circle class="dot" r="3.5" cx="${place(x(round))}" cy="${place(y(value))}"/>`)}
</svg></figure>`;
}

/** What the lines of all charts mean. */
export function drawLegend(own: string, baselines: readonly string[]): Html {
  return html`<ul class="legend"><li><svg viewBox="0 0 28 10" aria-hidden="true"><line class="own" x1="0" x2="28" y1="5" y2="5"/></svg>${own}</li>
${baselines.map((name, at) => html`<li><svg viewBox="0 0 28 10" aria-hidden="true"><line class="base" stroke="${seriesColor(at)}" stroke-dasharray="${seriesDash(at)}" x1="0" x2="28" y1="5" y2="5"/></svg>${name}</li>`)}</ul>`;
}

export function seriesColor(place: number): string {
  return SERIES_COLORS[place % SERIES_COLORS.length];
}

function seriesDash(place: number): string {
  return SERIES_DASHES[place % SERIES_DASHES.length];
}

/** A tenth of a unit is finer than any screen, and keeps the file the same on every machine. */
function place(coordinate: number): string {
  return coordinate.toFixed(1);
}
