import { describe, expect, it } from "@jest/globals";
import type { RunSummary } from "../../../shared/src/contracts/summary.ts";
import { renderReport } from "../../../shared/src/report/render-report.ts";
import { findNestingMistake } from "../../support/html-nesting.ts";
import { SUMMARY } from "../../support/summary.ts";

describe("report.html", () => {
  const page = renderReport(SUMMARY);

  it("is a page whose tags nest, with every figure of the tables", () => {
    expect(findNestingMistake(page)).toBeNull();
    expect(page.startsWith("<!doctype html>")).toBe(true);
    for (const text of ["2.810 *", "108 of 120", "62.0 %", "1.9 MiB", "client-distil"]) expect(page).toContain(text);
  });

  it("asks nothing of the network and runs nothing", () => {
    expect(page).not.toMatch(/https?:|src=|<script|@import|url\(|javascript:/i);
    expect(page).toContain("default-src 'none'");
  });

  it("says after which round a run was ended and why, and that its baselines were not", () => {
    const stopped = (reason: "budget" | "request", baselines = SUMMARY.baselines) =>
      renderReport({ ...SUMMARY, rounds: 5, baselines, stopped: { afterRound: 2, reason } });
    expect(stopped("budget")).toContain(
      "The run ended after round 2 of 5, since its budget was used up. Baselines in the table were trained for all 5.",
    );
    expect(stopped("request", ["zero-shot"])).toContain("The run ended after round 2 of 5, since it was asked to.</p>");
    expect(page).not.toContain("The run ended");
  });

  it("says which baselines a run was too short for", () => {
    const variants = [
      { name: "fedavg", rounds: 5, stopped: null },
      { name: "one-way", rounds: 2, stopped: "request" as const },
    ];
    expect(renderReport({ ...SUMMARY, rounds: 5, variants })).toContain(
      "The run ended after its own rounds, since it was asked to. Without scores, since cut off: one-way (2 of 5 rounds).</p>",
    );
    const stopped = { afterRound: 2, reason: "budget" as const };
    expect(renderReport({ ...SUMMARY, rounds: 5, stopped, variants: [{ ...variants[1], rounds: 0 }] })).toContain(
      "The run ended after round 2 of 5, since its budget was used up. Baselines in the table were trained for all 5. Without scores, since cut off: one-way (0 of 5 rounds).</p>",
    );
  });

  it("is the same bytes for the same run", () => {
    expect(renderReport(structuredClone(SUMMARY))).toBe(page);
  });

  it("escapes whatever names come from outside", () => {
    const evil = '<img src=x onerror="alert(1)">&\'';
    const summary: RunSummary = JSON.parse(JSON.stringify(SUMMARY).replaceAll('"ward"', JSON.stringify(evil)));
    const escaped = renderReport(summary);
    expect(escaped).not.toContain("<img");
    expect(findNestingMistake(escaped)).toBeNull();
  });

  it("gives every chart a title in words, and draws one curve a party and set", () => {
    expect(page.match(/<svg viewBox="0 0 320 190" role="img"/g)).toHaveLength(9);
    expect(page.match(/role="img"/g)).toHaveLength(page.match(/role="img" aria-label="[^"]+"><title>/g)!.length);
    expect(page).toContain(
      "harbour on ward, bits/byte. round 0: 3.400; round 1: 2.880; round 2: 2.810; zero-shot: 3.400",
    );
  });

  it("holds numbers only, even where a run exchanged and measured nothing", () => {
    const empty: RunSummary = { ...SUMMARY, scores: [], transfers: [], selections: [], training: [], sets: [] };
    for (const text of [page, renderReport(empty)]) expect(text).not.toMatch(/NaN|Infinity|undefined|\[object/);
  });
});
