import { type Html, html } from "./html.ts";

const WIDTH = 640;
const ROW_HEIGHT = 20;
const LABEL_WIDTH = 190;
const VALUE_WIDTH = 96;
const BAR_WIDTH = WIDTH - LABEL_WIDTH - VALUE_WIDTH;

export interface Bar {
  label: string;
  /** drawn one after another, in parts of `whole` */
  parts: readonly { name: string; value: number; color: string }[];
  whole: number;
  /** written at the right end */
  text: string;
}

/** Horizontal bars in one scale a bar (shares) or one scale for all, as the caller's `whole` says. */
export function drawBars(title: string, bars: readonly Bar[]): Html {
  const height = bars.length * ROW_HEIGHT + 4;
  return html`<figure><figcaption>${title}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${title}"><title>${title}</title>
${bars.map((bar, index) => drawBar(bar, index * ROW_HEIGHT))}
</svg></figure>`;
}

function drawBar({ label, parts, whole, text }: Bar, top: number): Html {
  let x = LABEL_WIDTH;
  return html`<text x="${LABEL_WIDTH - 6}" y="${top + 15}" text-anchor="end">${label}</text>
${parts.map(({ name, value, color }) => {
  const width = whole > 0 ? (value / whole) * BAR_WIDTH : 0;
  const drawn = html`<rect x="${x.toFixed(1)}" y="${top + 4}" width="${width.toFixed(1)}" height="${ROW_HEIGHT - 6}" fill="${color}"><title>${label}: ${name}</title></rect>`;
  x += width;
  return drawn;
})}<text x="${WIDTH - VALUE_WIDTH + 6}" y="${top + 15}">${text}</text>`;
}
