import type { RunSummary } from "../contracts/summary.ts";
import {
  formatBytes,
  formatGain,
  formatShare,
  formatValue,
  OWN_VARIANT,
  scoreRows,
  scoreVariants,
  unitOf,
} from "./table.ts";

/** A table as text cells; the terminal and the HTML report draw the same. */
export interface TextTable {
  title: string;
  columns: { name: string; align: "left" | "right" }[];
  rows: { text: string; best?: boolean; gain?: "better" | "worse" }[][];
  /** what a reader must know to read it */
  note: string;
}

const left = (name: string) => ({ name, align: "left" as const });
const right = (name: string) => ({ name, align: "right" as const });
const plain = (text: string | number) => ({ text: String(text) });

/** Every party on every set, before and after; the best of each row marked. */
export function scoreTable(summary: RunSummary): TextTable {
  const variants = scoreVariants(summary);
  return {
    title: "Every party on every held-out set",
    columns: [
      left("party"),
      left("set"),
      left("unit"),
      ...variants.map((name) => right(VARIANT_TITLES[name] ?? name)),
      right("gain"),
      left("against"),
    ],
    rows: scoreRows(summary).map((row) => [
      plain(row.party),
      plain(row.foreign ? `${row.set} †` : row.set),
      plain(unitOf(row.metric)),
      ...row.cells.map((cell) => (cell === null ? plain("–") : { text: formatValue(cell.value), best: cell.best })),
      row.gain === null
        ? plain("–")
        : { text: formatGain(row.gain), gain: row.gain < 0 ? ("worse" as const) : ("better" as const) },
      plain(row.against ?? "–"),
    ]),
    note: "† a domain that only another party holds. * best of the row (bits/byte: the lower the better). gain: how much better after the last round than with the same labels and nothing from others: no knowledge and, under fedavg, no averaging.",
  };
}

const VARIANT_TITLES: Readonly<Record<string, string>> = { "zero-shot": "before", [OWN_VARIANT]: "after" };

/** DualMinCE's outcome by round and target, both sides. */
export function selectionTable(summary: RunSummary): TextTable {
  return {
    title: "Public samples learned from others' knowledge (DualMinCE)",
    columns: [right("round"), left("learns"), right("selected"), right("of"), left("from"), right("mean gap")],
    rows: summary.selections.map((count) => [
      plain(count.round),
      plain(count.target),
      plain(count.samples - count.none),
      plain(count.samples),
      plain(
        Object.entries(count.bySource)
          .map(([source, samples]) => `${source} ${samples}`)
          .join(", ") || "–",
      ),
      plain(formatGain(count.meanGap)),
    ]),
    note: "mean gap: the target's loss − the best source's, bits/byte; negative where the target is the better one.",
  };
}

/** What translation kept, both ways. */
export function transferTable(summary: RunSummary): TextTable {
  return {
    title: "Knowledge transferred",
    columns: [
      right("round"),
      left("from"),
      left("to"),
      right("positions"),
      right("aligned"),
      right("mass kept"),
      right("exact"),
      right("unmapped"),
      right("bytes"),
    ],
    rows: summary.transfers.map((transfer) => [
      plain(transfer.round),
      plain(transfer.source),
      plain(transfer.target),
      plain(transfer.targetPositions),
      plain(formatShare(transfer.alignedShare)),
      plain(formatShare(transfer.keptMass)),
      plain(formatShare(transfer.exactMass)),
      plain(formatShare(transfer.unmappedMass)),
      plain(formatBytes(transfer.bytes)),
    ]),
    note: `Shares of the target's answer positions, and of the probability at aligned ones. Exchanged in all: ${formatBytes(exchangedBytes(summary))}.`,
  };
}

/** Training by round, party and stage. */
export function trainingTable(summary: RunSummary): TextTable {
  return {
    title: "Training",
    columns: [right("round"), left("party"), left("stage"), right("steps"), right("loss")],
    rows: summary.training.map(({ round, party, stage, steps, loss }) => [
      plain(round),
      plain(party),
      plain(stage),
      plain(steps),
      plain(formatValue(loss)),
    ]),
    note: "loss: mean of the last epoch. client-train: of the labels, nats a token. server-distil and client-distil: λ · that + (1 − λ) · the loss to the knowledge, so compare them with their own stage only.",
  };
}

/** Knowledge and its translations, over all rounds and both ways. */
export function exchangedBytes(summary: RunSummary): number {
  return summary.transfers.reduce((sum, { bytes }) => sum + bytes, 0);
}
