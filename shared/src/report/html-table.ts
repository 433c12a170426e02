import { type Html, html } from "./html.ts";
import type { TextTable } from "./run-tables.ts";

/** A table of text cells; wide ones scroll. */
export function drawTable({ title, columns, rows, note }: TextTable): Html {
  const align = (column: number) => (columns[column].align === "right" ? "right" : "left");
  return html`<div class="scroll"><table><caption>${title}</caption>
<thead><tr>${columns.map(({ name }, column) => html`<th scope="col" class="${align(column)}">${name}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map(({ text, best, gain }, column) => html`<td class="${[align(column), best ? "best" : "", gain ?? ""].filter(Boolean).join(" ")}">${text}${best ? " *" : ""}</td>`)}</tr>\n`)}</tbody></table></div>
<p class="note">${note}</p>`;
}
