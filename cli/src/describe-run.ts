import { join } from "node:path";
import type { RunState } from "@fedmkt/shared/contracts/run-state.ts";
import type { RunSummary } from "@fedmkt/shared/contracts/summary.ts";
import { emptyTransfers } from "@fedmkt/shared/report/empty-transfers.ts";
import {
  describeMethod,
  exchangedBytes,
  scoreTable,
  selectionTable,
  transferTable,
} from "@fedmkt/shared/report/run-tables.ts";
import { formatBytes, scoreRows, verdicts } from "@fedmkt/shared/report/table.ts";
import { quote } from "./command-line.ts";
import { RUN_FILES } from "./run-folder.ts";
import { drawTextTable } from "./text-table.ts";

/** A finished run for the terminal: scores, verdicts, selection, transfer, where things are, and how to serve them. */
export function describeRun(summary: RunSummary, state: RunState, folder: string, colours: boolean): string {
  const empty = emptyTransfers(summary);
  return [
    drawTextTable(scoreTable(summary), colours),
    verdicts(summary)
      .map(({ sentence }) => `  ${sentence}`)
      .join("\n"),
    drawTextTable(selectionTable(summary), colours),
    ...(empty.length === 0 ? [] : [empty.map((sentence) => `  ${sentence}`).join("\n")]),
    drawTextTable(transferTable(summary), colours),
    [
      `Method:   ${describeMethod(summary)}`,
      `Report:   ${join(folder, RUN_FILES.report)}`,
      ...summary.adapters.map(({ party, folder: adapter }) => `Adapter:  ${join(folder, adapter)} (${party})`),
      `Time:     ${state.wallTimeMs === null ? "not known" : `${(state.wallTimeMs / 1000).toFixed(1)} s`}`,
      ...(state.peakMemoryBytes === null
        ? []
        : [`Memory:   ${formatBytes(state.peakMemoryBytes)} at most (PSS of all processes)`]),
      ...(summary.adapters.length === 0
        ? []
        : [`Serve:    fedmkt serve --registry ${quote(join(folder, ".."))} --model MODEL (a party's base model)`]),
    ].join("\n"),
  ].join("\n\n");
}

/** The same for programs. */
export function summariseRun(summary: RunSummary, state: RunState, folder: string) {
  return {
    run: summary.run,
    status: state.status,
    folder,
    report: join(folder, RUN_FILES.report),
    adapters: summary.adapters.map(({ party, folder: adapter }) => ({ party, folder: join(folder, adapter) })),
    scores: scoreRows(summary),
    verdicts: verdicts(summary),
    method: summary.method,
    distillation: summary.distillation,
    selections: summary.selections,
    emptyTransfers: emptyTransfers(summary),
    transfers: summary.transfers,
    bytesExchanged: exchangedBytes(summary),
    wallTimeMs: state.wallTimeMs,
    peakMemoryBytes: state.peakMemoryBytes,
  };
}
