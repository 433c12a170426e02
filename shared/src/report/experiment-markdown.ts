import type { ExperimentResults } from "../contracts/experiment-results.ts";
import { cellTable, comparisonTable, experimentNotes, setTable } from "./experiment-tables.ts";
import type { TextTable } from "./run-tables.ts";

/** An experiment's results as Markdown tables; equal results give equal texts. */
export function writeExperimentMarkdown(results: ExperimentResults): string {
  const notes = experimentNotes(results);
  return [
    `# ${results.experiment}`,
    `${results.cells.length} cells, seeds ${results.seeds.join(", ")}.`,
    ...[comparisonTable(results), cellTable(results), setTable(results)].map(writeTable),
    ...(notes.length === 0 ? [] : ["## To be known", notes.map((note) => `- ${escapeCell(note)}`).join("\n")]),
  ]
    .join("\n\n")
    .concat("\n");
}

function writeTable({ title, columns, rows, note }: TextTable): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    `## ${title}`,
    "",
    line(columns.map(({ name }) => escapeCell(name))),
    line(columns.map(({ align }) => (align === "right" ? "---:" : "---"))),
    ...rows.map((row) => line(row.map(({ text }) => escapeCell(text)))),
    "",
    note,
  ].join("\n");
}

/** Names come from a file, and errors from anywhere: neither may end a cell or a line. */
function escapeCell(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ").replaceAll("|", "\\|");
}
