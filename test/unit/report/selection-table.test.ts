import { describe, expect, it } from "@jest/globals";
import { METHODS } from "../../../shared/src/contracts/methods.ts";
import type { RunSummary } from "../../../shared/src/contracts/summary.ts";
import { emptyTransfers } from "../../../shared/src/report/empty-transfers.ts";
import { renderReport } from "../../../shared/src/report/render-report.ts";
import { describeMethod, selectionTable } from "../../../shared/src/report/run-tables.ts";
import { SUMMARY } from "../../support/summary.ts";

const under = (choices: Partial<RunSummary["distillation"]>): RunSummary => ({
  ...SUMMARY,
  distillation: { ...SUMMARY.distillation, ...choices },
});
const cells = (summary: RunSummary, row: number) => selectionTable(summary).rows[row].map(({ text }) => text);

describe("The table of selection", () => {
  it("says who taught whom, who was better, whether they agree, and by how much", () => {
    expect(cells(SUMMARY, 0)).toEqual([
      "1",
      "server",
      "23",
      "120",
      "harbour 14, ward 9",
      "18 (7), 13 (4)",
      "85.0 %",
      "−0.410",
      "−0.610 … −0.210",
    ]);
  });

  it("speaks of no agreement where there is one source", () => {
    expect(cells(SUMMARY, 1).slice(5, 7)).toEqual(["–", "–"]);
  });

  it("names the rule, and the unit of the metric by which it compared", () => {
    expect(selectionTable(SUMMARY).title).toContain("DualMinCE");
    expect(selectionTable(SUMMARY).note).toMatch(/labels alone.*bits\/byte/);
    const fate = selectionTable(under(METHODS.fate));
    expect(fate.title).toContain("greater");
    expect(fate.note).toMatch(/its own output.*the prompt's counted/);
    const byToken = selectionTable(under({ selection: "token" }));
    expect(byToken.title).toContain("by token");
    expect(byToken.note).toMatch(
      /positions are learned .* better: .* some next token .* mean gap: .* advantage, .*bits\/byte/,
    );
    const confident = selectionTable(under({ selection: "confidence" }));
    expect(confident.title).toContain("by confidence");
    expect(confident.note).toMatch(/all that are better, .* loss was less .* the target's loss − the best source's/);
    expect(selectionTable(under({ selection: "weighted-mean", lossMetric: "per-token" })).note).toMatch(
      /learned from all.*nats\/token;/,
    );
  });
});

describe("A transfer of which nothing came", () => {
  const [first, ...others] = SUMMARY.selections;
  const gaps = { meanGap: -0.41, gapQuartiles: [-1, -0.6, -0.4, -0.2, -0.01] };
  const empty = { ...first, bySource: { harbour: 0, ward: 0 }, none: first.samples, ...gaps };

  it("is said, with the loss gap that explains it, where nobody was selected", () => {
    const summary = { ...SUMMARY, selections: [empty, ...others] };
    expect(emptyTransfers(summary)).toEqual([
      "round 1: server learned nothing from others: on none of 120 public samples was anyone better by enough (server's loss less the best source's, bits/byte: mean −0.410, median −0.400, at most −0.010).",
    ]);
    expect(renderReport(summary)).toContain("server learned nothing from others");
    expect(
      emptyTransfers({ ...summary, distillation: { ...SUMMARY.distillation, selection: "weighted-mean" } }),
    ).toEqual([]);
  });

  it("is said with the advantage by token, where that was asked for, and with the bounds that nobody met", () => {
    const counted = {
      ...empty,
      meanGap: 0.01,
      gapQuartiles: [0, 0, 0, 0.02, 0.05],
      meanLossGap: -0.41,
      outOfBounds: { near: 30, far: 2 },
    };
    const distillation = { ...SUMMARY.distillation, selection: "token" } as const;
    expect(emptyTransfers({ ...SUMMARY, distillation, selections: [counted] })).toEqual([
      "round 1: server learned nothing from others: on none of 120 public samples was anyone better by enough (the best source's advantage by token, bits/byte: mean +0.010, median ±0.000, at most +0.050; server's loss less the best source's: mean −0.410; somebody was better, but by at most minGap, on 30; by more than maxGap on 2).",
    ]);
  });

  it("is said where no position was aligned", () => {
    const [transfer] = SUMMARY.transfers;
    expect(emptyTransfers({ ...SUMMARY, transfers: [{ ...transfer, alignedShare: 0 }] })).toEqual([
      "round 1: nothing of harbour reached server: no position was aligned.",
    ]);
  });

  it("is not said of a transfer that brought something, or of no samples at all", () => {
    expect(emptyTransfers(SUMMARY)).toEqual([]);
    expect(emptyTransfers({ ...SUMMARY, selections: [{ ...empty, samples: 0, none: 0 }] })).toEqual([]);
  });
});

describe("The method in force", () => {
  it("stands in the report, choice by choice", () => {
    expect(describeMethod(under({ ...METHODS.fate, alignment: "greedy-dp" }))).toBe(
      "method product (alignment greedy-dp, transfer fate, vocabularyMap reference, learn token, lossMetric diluted, selection greater, positions all)",
    );
    expect(renderReport(SUMMARY)).toContain(describeMethod(SUMMARY));
  });

  it("has the bounds and cuts that are set, and none that are not", () => {
    expect(describeMethod(under({ minGap: 0.25, maxGap: 2, topPerplexity: 4 }))).toMatch(
      /positions answer, minGap 0\.25, maxGap 2, topPerplexity 4\)$/,
    );
    expect(describeMethod(under({ minGap: 0 }))).toMatch(/positions answer\)$/);
  });
});
