import { describe, expect, it } from "@jest/globals";
import type { RunSummary } from "../../../shared/src/contracts/summary.ts";
import { scoreTable, trainingTable, transferTable } from "../../../shared/src/report/run-tables.ts";
import { formatBytes, formatGain, scoreRows, scoreVariants, verdicts } from "../../../shared/src/report/table.ts";
import { SUMMARY } from "../../support/summary.ts";

const row = (party: string, set: string, summary: RunSummary = SUMMARY) =>
  scoreRows(summary).find((candidate) => candidate.party === party && candidate.set === set)!;

describe("the training table", () => {
  it("says that a distillation's loss is another quantity than a training's", () => {
    expect(trainingTable(SUMMARY).note).toContain("server-distil and client-distil: λ · that + (1 − λ) ·");
  });

  it("shows what the gate made of each party's round, where there is one", () => {
    expect(trainingTable(SUMMARY).columns.map(({ name }) => name)).not.toContain("validation");
    const gates = [
      { round: 1, party: "server", before: 2, after: 1.875, undone: false },
      { round: 2, party: "server", before: 1.875, after: null, undone: true },
      { round: 2, party: "harbour", before: 2.5, after: 2.75, undone: true },
    ];
    const { columns, rows, note } = trainingTable({ ...SUMMARY, gates });
    expect(columns.at(-1)).toEqual({ name: "validation", align: "left" });
    const told = rows.map((cells) => [cells[0].text, cells[2].text, cells.at(-1)!.text]);
    expect(told).toEqual([
      ["1", "server-distil", "2.000 → 1.875"],
      ["1", "client-train", "–"],
      ["1", "client-distil", "–"],
      ["2", "server-distil", "1.875 → not finite, undone"],
      ["2", "client-train", "–"],
      ["2", "client-distil", "2.500 → 2.750, undone"],
    ]);
    expect(note).toContain("undone: it went on as it was before");
  });
});

describe("a run that is compared with runs of other kinds", () => {
  const without = SUMMARY.scores.filter(({ variant }) => !["standalone+public", "public-only"].includes(variant));
  const labelled = SUMMARY.scores
    .filter(({ variant, party }) => variant === (party === "server" ? "public-only" : "standalone+public"))
    .map((score) => ({ ...score, variant: "no-distillation" }));
  const averaged = labelled.map((score) => ({ ...score, variant: "fedavg", value: score.value - 1, round: 2 }));

  it("tells the gain over the same labels, never over what reached a party from others", () => {
    const both = { ...SUMMARY, scores: [...without, ...labelled, ...averaged] };
    expect(row("harbour", "ward", both)).toMatchObject({ against: "no-distillation" });
    expect(row("harbour", "ward", both).gain).toBeCloseTo(2.9 - 2.81, 9);
    const alone = { ...SUMMARY, scores: [...without.filter(({ party }) => party === "server"), ...averaged] };
    expect(row("server", "ward", alone)).toMatchObject({ gain: null, against: null });
  });

  it("says that standalone is without the public labels where it is all that there is to compare with", () => {
    const words = "standalone is without the public labels too";
    const scores = SUMMARY.scores.filter(({ variant }) => ["standalone", "fedmkt"].includes(variant));
    expect(row("harbour", "ward", { ...SUMMARY, scores }).against).toBe("standalone");
    expect(scoreTable({ ...SUMMARY, scores }).note).toContain(words);
    expect(scoreTable(SUMMARY).note).not.toContain(words);
  });

  it("orders variants behind the baselines of single jobs", () => {
    expect(scoreVariants({ ...SUMMARY, scores: [...averaged, ...labelled, ...without] })).toEqual([
      ...["zero-shot", "standalone", "no-distillation", "fedavg", "fedmkt"],
    ]);
  });

  it("says of a server that does not learn, and of a client that never came, just that", () => {
    const oneWay: RunSummary = {
      ...SUMMARY,
      distillation: { ...SUMMARY.distillation, direction: "to-clients" },
      scores: SUMMARY.scores.filter(
        ({ party, variant }) => variant !== "fedmkt" || !["server", "ward"].includes(party),
      ),
    };
    const sentences = verdicts(oneWay).map(({ outcome, sentence }) => [outcome, sentence]);
    expect(sentences[0]).toEqual(["unknown", "server: did not learn in this run (direction: to-clients)."]);
    expect(sentences[1][0]).toBe("gained");
    expect(sentences[2]).toEqual(["unknown", "ward: had not come when the run ended."]);
  });
});

describe("the score table", () => {
  it("orders the columns from before to after", () => {
    expect(scoreVariants(SUMMARY)).toEqual(["zero-shot", "standalone", "standalone+public", "public-only", "fedmkt"]);
  });

  it("compares the last round with the same labels without transfer, set by set", () => {
    expect(row("harbour", "ward")).toMatchObject({ foreign: true, against: "standalone+public" });
    expect(row("harbour", "ward").gain).toBeCloseTo(2.9 - 2.81, 12);
    expect(row("harbour", "harbour")).toMatchObject({ foreign: false, against: "standalone+public" });
    expect(row("server", "common").gain).toBeCloseTo(1.9 - 1.91, 12);
  });

  it("falls back on the best baseline that saw labels where the one with the same labels was not run", () => {
    const scores = SUMMARY.scores.filter(({ variant }) => !["standalone+public", "public-only"].includes(variant));
    const { gain, against } = row("harbour", "harbour", { ...SUMMARY, scores });
    expect(against).toBe("standalone");
    expect(gain).not.toBeNull();
  });

  it("marks the best of each row: the least bits, but the greatest accuracy", () => {
    const best = (summary: RunSummary) =>
      row("ward", "common", summary).cells.flatMap((cell) => (cell?.best ? [cell.variant] : []));
    expect(best(SUMMARY)).toEqual(["standalone+public"]);
    const scores = SUMMARY.scores.map((score) => ({ ...score, metric: "accuracy" as const, value: score.value / 10 }));
    expect(best({ ...SUMMARY, scores })).toEqual(["zero-shot"]);
    expect(row("harbour", "ward", { ...SUMMARY, scores }).gain).toBeCloseTo(0.281 - 0.29, 12);
  });

  it("leaves a dash where a party was not scored", () => {
    const scores = SUMMARY.scores.filter(({ party, variant }) => party === "server" || variant !== "standalone");
    const table = scoreTable({ ...SUMMARY, scores });
    expect(table.rows.every((cells) => cells.length === table.columns.length)).toBe(true);
    expect(scoreTable(SUMMARY).rows[0].map(({ text }) => text)).toEqual([
      "server",
      "harbour †",
      "bits/byte",
      "2.900",
      "–",
      "–",
      "2.450",
      "2.410",
      "+0.040",
      "public-only",
    ]);
  });

  it("says in words who did not gain on domains that only others hold", () => {
    expect(verdicts(SUMMARY)).toEqual([
      {
        party: "server",
        outcome: "gained",
        sentence:
          "server: gained on domains that only others hold, beyond labels alone (gain: harbour +0.040 bits/byte against public-only; ward +0.020 bits/byte against public-only).",
      },
      {
        party: "harbour",
        outcome: "gained",
        sentence: expect.stringContaining("ward +0.090 bits/byte against standalone+public"),
      },
      {
        party: "ward",
        outcome: "not-gained",
        sentence:
          "ward: did not gain on domains that only others hold, beyond labels alone (gain: harbour −0.020 bits/byte against standalone+public).",
      },
    ]);
  });

  it("does not claim what it cannot know", () => {
    const ownerless = { ...SUMMARY, sets: SUMMARY.sets.map((set) => ({ ...set, owner: null })) };
    expect(verdicts(ownerless).map(({ outcome }) => outcome)).toEqual(["unknown", "unknown", "unknown"]);
    expect(verdicts(ownerless)[1].sentence).toContain("no such held-out set names its owner");
    const alone = { ...SUMMARY, scores: SUMMARY.scores.filter(({ party, set }) => party === set) };
    expect(verdicts(alone)[1].sentence).toContain("without simulation a held-out set that has an owner");
    const unlabelled = {
      ...SUMMARY,
      scores: SUMMARY.scores.filter(({ variant }) => ["zero-shot", "fedmkt"].includes(variant)),
    };
    expect(verdicts(unlabelled)[1].sentence).toContain("no baseline with labels was run");
    expect(row("harbour", "ward", unlabelled)).toMatchObject({ gain: null, against: null });
  });

  it("adds up what was exchanged", () => {
    expect(transferTable(SUMMARY).note).toContain("Exchanged in all: 1.9 MiB");
    expect([formatBytes(1023), formatBytes(1024), formatBytes(3 * 1024 ** 3)]).toEqual([
      "1023 B",
      "1.0 KiB",
      "3.0 GiB",
    ]);
    expect([formatGain(-0.0001), formatGain(-0.25), formatGain(0.0006)]).toEqual(["±0.000", "−0.250", "+0.001"]);
  });
});
