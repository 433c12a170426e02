import { type Html, html } from "./html.ts";

const WIDTH = 760;
const ROW_HEIGHT = 22;
const LABEL_WIDTH = 300;
const VALUE_WIDTH = 140;
const LEFT = LABEL_WIDTH + 8;
const RIGHT = WIDTH - VALUE_WIDTH;
const CAP_HEIGHT = 8;

/** A difference with its interval. */
export interface IntervalBar {
  label: string;
  value: number;
  /** half the interval's width; null where there is none */
  margin: number | null;
  outcome: "better" | "worse" | "open";
  /** written at the right end */
  text: string;
}

/** Bars from zero in one scale, each with its interval as a whisker. */
export function drawIntervals(title: string, bars: readonly IntervalBar[]): Html {
  const ends = bars.flatMap(({ value, margin }) => [value - (margin ?? 0), value + (margin ?? 0)]);
  const low = Math.min(0, ...ends);
  const high = Math.max(0, ...ends);
  const x = (value: number) => (LEFT + ((value - low) / (high - low || 1)) * (RIGHT - LEFT)).toFixed(1);
  const height = bars.length * ROW_HEIGHT + 4;
  return html`<figure><figcaption>${title}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${title}"><title>${title}</title>
<line class="axis" x1="${x(0)}" x2="${x(0)}" y1="0" y2="${height}"/>
${bars.map(({ label, value, margin, outcome, text }, index) => {
  const middle = index * ROW_HEIGHT + 13;
  const width = Math.abs(Number(x(value)) - Number(x(0))).toFixed(1);
  return html`<text x="${LABEL_WIDTH}" y="${middle + 4}" text-anchor="end">${label}</text>
<rect class="gain-${outcome}" x="${x(Math.min(0, value))}" y="${middle - 6}" width="${width}" height="12"><title>${label}: ${text}</title></rect>
${margin === null ? null : drawWhisker(x(value - margin), x(value + margin), middle)}<text x="${RIGHT + 8}" y="${middle + 4}">${text}</text>`;
})}
</svg></figure>`;
}

function drawWhisker(from: string, to: string, middle: number): Html {
  const cap = (at: string) =>
    html`<line class="whisker" x1="${at}" x2="${at}" y1="${middle - CAP_HEIGHT / 2}" y2="${middle + CAP_HEIGHT / 2}"/>`;
  return html`<line class="whisker" x1="${from}" x2="${to}" y1="${middle}" y2="${middle}"/>${cap(from)}${cap(to)}`;
}
