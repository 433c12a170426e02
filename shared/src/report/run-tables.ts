import type { RunSummary } from "../contracts/summary.ts";
import { LOSS_UNITS } from "../core/selection/loss-metric.ts";
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
  const scored = scoreRows(summary);
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
    rows: scored.map((row) => [
      plain(row.party),
      plain(row.foreign ? `${row.set} †` : row.set),
      plain(unitOf(row.metric)),
      ...row.cells.map((cell) => (cell === null ? plain("–") : { text: formatValue(cell.value), best: cell.best })),
      row.gain === null
        ? plain("–")
        : { text: formatGain(row.gain), gain: row.gain < 0 ? ("worse" as const) : ("better" as const) },
      plain(row.against ?? "–"),
    ]),
    note: `† a domain that only another party holds. * best of the row (bits/byte: the lower the better). gain: how much better after the last round than with the same labels and nothing from others: no knowledge and, under fedavg, no averaging.${scored.some(({ against }) => against === "standalone") ? STANDALONE_NOTE : ""}`,
  };
}

/** It is what there is to compare with where no baseline saw the same labels. */
const STANDALONE_NOTE =
  " standalone is without the public labels too: a gain against it is theirs as well (standalone+public tells them apart).";

const VARIANT_TITLES: Readonly<Record<string, string>> = { "zero-shot": "before", [OWN_VARIANT]: "after" };

/** Who taught whom, by round and target, both sides; how far apart they are, and whether the sources agree. */
export function selectionTable(summary: RunSummary): TextTable {
  const { selection, lossMetric } = summary.distillation;
  return {
    title: `Public samples learned from others' knowledge (${SELECTION_NAMES[selection]})`,
    columns: [
      right("round"),
      left("learns"),
      right("selected"),
      right("of"),
      left("from"),
      left("better (alone)"),
      right("agree"),
      right("mean gap"),
      right("middle half"),
    ],
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
      plain(
        Object.keys(count.ahead).length < 2
          ? "–"
          : Object.entries(count.ahead)
              .map(([source, samples]) => `${samples} (${count.alone[source]})`)
              .join(", "),
      ),
      plain(Object.keys(count.ahead).length < 2 ? "–" : formatShare(count.agreement)),
      plain(formatGain(count.meanGap)),
      plain(`${formatGain(count.gapQuartiles[1])} … ${formatGain(count.gapQuartiles[3])}`),
    ]),
    note: [
      OF_THE_REST[selection],
      selection === "token"
        ? "better: on how many samples each source gave some next token more than the target did, and on how many of them nobody else did."
        : "better: on how many samples each source's loss was less than the target's, and on how many of them nobody else's was.",
      "agree: pairs of sources that stand on the same side of the target.",
      selection === "token"
        ? `mean gap: the best source's advantage, summed over the positions at which it gives the next token more, ${LOSS_UNITS[lossMetric]}. middle half: between its quartiles.`
        : `mean gap: the target's loss − the best source's, ${LOSS_UNITS[lossMetric]}; negative where the target is the better one. middle half: between its quartiles.`,
    ].join(" "),
  };
}

const SELECTION_NAMES = {
  strict: "DualMinCE",
  greater: "FATE-LLM's greater",
  "weighted-mean": "FATE-LLM's weighted mean",
  token: "by token",
  confidence: "by confidence",
} as const;

const OF_THE_REST = {
  strict: "Samples that are not selected are learned from their labels alone.",
  greater: "From samples that are not selected the target learns its own output.",
  "weighted-mean": "Every sample is learned from all; selected: where a source has the largest share.",
  token:
    "Of a selected sample the positions are learned at which the source gives the next token more than the target does, of all else the labels alone.",
  confidence:
    "A selected sample is learned from all that are better, each by its share; from: who has the largest. Samples that are not selected are learned from their labels alone.",
} as const;

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
  const judges = summary.gates.length > 0;
  const gateText = (round: number, party: string, stage: string) => {
    const gate =
      stage === "client-train" ? null : summary.gates.find((one) => one.round === round && one.party === party);
    if (!gate) return "–";
    const { before, after, undone } = gate;
    return `${formatValue(before)} → ${after === null ? "not finite" : formatValue(after)}${undone ? ", undone" : ""}`;
  };
  return {
    title: "Training",
    columns: [
      right("round"),
      left("party"),
      left("stage"),
      right("steps"),
      right("loss"),
      ...(judges ? [left("validation")] : []),
    ],
    rows: summary.training.map(({ round, party, stage, steps, loss }) => [
      plain(round),
      plain(party),
      plain(stage),
      plain(steps),
      plain(formatValue(loss)),
      ...(judges ? [plain(gateText(round, party, stage))] : []),
    ]),
    note: `loss: mean of the last epoch. client-train: of the labels, nats a token. server-distil and client-distil: λ · that + (1 − λ) · the loss to the knowledge, so compare them with their own stage only.${judges ? " validation: the loss on the party's own validation set before and after the round, bits/byte; undone: it went on as it was before." : ""}`,
  };
}

/** The choices in force, in the order of the spec's own table. */
export function describeMethod({ method, distillation }: Pick<RunSummary, "method" | "distillation">): string {
  const { alignment, transfer, vocabularyMap, learn, lossMetric, selection, positions } = distillation;
  const { minGap = 0, maxGap, topPerplexity } = distillation;
  const choices = {
    ...{ alignment, transfer, vocabularyMap, learn, lossMetric, selection, positions },
    // off unless set, and then a part of the method
    ...(minGap > 0 && { minGap }),
    ...(maxGap !== undefined && { maxGap }),
    ...(topPerplexity !== undefined && { topPerplexity }),
  };
  return `method ${method} (${Object.entries(choices)
    .map(([name, chosen]) => `${name} ${chosen}`)
    .join(", ")})`;
}

/** Knowledge and its translations, over all rounds and both ways. */
export function exchangedBytes(summary: RunSummary): number {
  return summary.transfers.reduce((sum, { bytes }) => sum + bytes, 0);
}
