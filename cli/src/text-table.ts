import type { TextTable } from "@fedmkt/shared/report/run-tables.ts";
import Table from "cli-table3";

const PLAIN = Object.fromEntries(
  ["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"]
    .concat(["left", "left-mid", "mid", "mid-mid", "right", "right-mid"])
    .map((name) => [name, ""])
    .concat([["middle", "  "]]),
);
const BOLD = "\u001b[1m";
const PLAIN_WEIGHT = "\u001b[22m";

/** A table for the terminal: no frames, the best of a row with a star, bold where colours are allowed. */
export function drawTextTable({ title, columns, rows, note }: TextTable, colours: boolean): string {
  const table = new Table({
    chars: PLAIN,
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [], compact: true },
    head: columns.map(({ name }) => name),
    colAligns: columns.map(({ align }) => align),
  });
  for (const row of rows)
    table.push(
      row.map(({ text, best }) => {
        const marked = best ? `${text}*` : text;
        return best && colours ? `${BOLD}${marked}${PLAIN_WEIGHT}` : marked;
      }),
    );
  const lines = table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd());
  return [title, "", ...lines.map((line) => `  ${line}`), "", `  ${note}`].join("\n");
}
