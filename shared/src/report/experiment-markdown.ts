import type { ExperimentResults } from "../contracts/experiment-results.ts";
import { cellTable, comparisonTable, DRY_RUN_NOTE, experimentNotes, setTable } from "./experiment-tables.ts";
import type { TextTable } from "./run-tables.ts";

/** An experiment's results as Markdown tables; equal results give equal texts. */
export function writeExperimentMarkdown(results: ExperimentResults): string {
  const notes = experimentNotes(results);
  return [
    `# ${results.experiment}${results.isDryRun ? ", dry run" : ""}`,
    `${results.cells.length} cell${results.cells.length === 1 ? "" : "s"}, seed${results.seeds.length === 1 ? "" : "s"} ${results.seeds.join(", ")}.`,
    ...(results.isDryRun ? [DRY_RUN_NOTE] : []),
    ...[comparisonTable(results), cellTable(results), setTable(results)].map(writeTable),
    ...(notes.length === 0 ? [] : ["## Notes", notes.map((note) => `- ${escapeCell(note)}`).join("\n")]),
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
