import { describe, expect, it } from "@jest/globals";
import type { ExperimentResults, ExperimentScore } from "../../../shared/src/contracts/experiment-results.ts";
import type { Score } from "../../../shared/src/contracts/summary.ts";
import { writeExperimentMarkdown } from "../../../shared/src/report/experiment-markdown.ts";
import { compareAll, courseOf, meansOf } from "../../../shared/src/report/experiment-statistics.ts";
import { DRY_RUN_NOTE, formatGainInterval, outcomeOf, setTable } from "../../../shared/src/report/experiment-tables.ts";
import { renderExperiment } from "../../../shared/src/report/render-experiment.ts";
import { findNestingMistake } from "../../support/html-nesting.ts";

interface Given extends Partial<Score> {
  cell?: string;
  seed?: number;
  value: number;
}

const scoreOf = ({ cell = "a", seed = 1, ...rest }: Given): ExperimentScore => ({
  ...{ party: "server", set: "test", metric: "accuracy", variant: "fedmkt", round: 1 },
  ...{ cell, seed, from: cell, ...rest },
});

describe("an experiment's means", () => {
  it("are over sets first, then over clients, then over seeds, after each party's last round", () => {
    const scores = [
      scoreOf({ party: "ward", set: "one", value: 0.1, round: 2 }),
      scoreOf({ party: "ward", set: "two", value: 0.3, round: 2 }),
      scoreOf({ party: "ward", set: "one", value: 9, round: 1 }),
      // it left after the first round, and sees one set alone
      scoreOf({ party: "quay", set: "one", value: 0.6, round: 1 }),
      scoreOf({ party: "ward", set: "one", value: 0.5, seed: 2, round: 2 }),
    ];
    const means = meansOf(["a"], scores);
    const of = (party: string | null) => means.find((mean) => mean.party === party)!;
    expect(of("ward")).toMatchObject({ mean: expect.closeTo((0.2 + 0.5) / 2, 12), count: 2 });
    expect(of("quay")).toMatchObject({ mean: 0.6, deviation: null, count: 1 });
    expect(of(null).mean).toBeCloseTo(((0.2 + 0.6) / 2 + 0.5) / 2, 12);
    expect(means.some(({ party }) => party === "server")).toBe(false);
  });

  it("follow a cell's rounds from before the first on", () => {
    const scores = [
      scoreOf({ value: 0.2, round: 0, variant: "zero-shot" }),
      scoreOf({ value: 0.4, round: 0, variant: "zero-shot", seed: 2 }),
      scoreOf({ value: 0.5 }),
      scoreOf({ value: 0.6, round: 2 }),
      scoreOf({ value: 0.9, round: 2, variant: "public-only" }),
      scoreOf({ value: 0.1, round: 2, cell: "b" }),
    ];
    expect(courseOf(scores, "a", "server", "accuracy")).toEqual([
      [0, expect.closeTo(0.3, 12)],
      [1, 0.5],
      [2, 0.6],
    ]);
    expect(courseOf(scores, "a", null, "accuracy")).toEqual([]);
  });
});

describe("an experiment's comparisons", () => {
  it("are gains where more is better, and where less is", () => {
    const both = (metric: Score["metric"]) =>
      compareAll(
        [{ cell: "a", against: "b" }],
        [],
        [scoreOf({ value: 0.75, metric }), scoreOf({ cell: "b", value: 0.5, metric })],
      )[0]!;
    expect(both("accuracy")).toMatchObject({ gain: 0.25, better: 1, of: 1 });
    expect(both("bits-per-byte")).toMatchObject({ gain: -0.25, better: 0, of: 1 });
  });

  it("take only sets, parties and seeds that both sides have", () => {
    const scores = [
      scoreOf({ party: "ward", set: "one", value: 0.5 }),
      scoreOf({ party: "ward", set: "own", value: 0.9 }),
      scoreOf({ party: "quay", set: "one", value: 0.9 }),
      scoreOf({ party: "ward", set: "one", value: 0.9, seed: 2 }),
      scoreOf({ party: "ward", set: "one", value: 0.25, variant: "standalone" }),
    ];
    const found = compareAll([{ cell: "a", against: "standalone" }], ["standalone"], scores);
    expect(found).toEqual(
      [null, "ward"].map((party) => expect.objectContaining({ party, gain: 0.25, count: 1, of: 1 })),
    );
    expect(compareAll([{ cell: "a", against: "public-only" }], ["public-only"], scores)).toEqual([]);
  });

  it("are open where their interval holds zero, or there is none", () => {
    expect([
      outcomeOf({ gain: 0.2, margin: 0.1 }),
      outcomeOf({ gain: -0.2, margin: 0.1 }),
      outcomeOf({ gain: 0.1, margin: 0.2 }),
      outcomeOf({ gain: 0.1, margin: null }),
    ]).toEqual(["better", "worse", "open", "open"]);
  });

  it("are told with their sign, shares in per cent", () => {
    expect(formatGainInterval({ gain: -0.01234, margin: 0.002, metric: "bits-per-byte" })).toBe("−0.0123 ± 0.0020");
    expect(formatGainInterval({ gain: 0.01234, margin: 0.002, metric: "accuracy" })).toBe("+1.23 ± 0.20");
    expect(formatGainInterval({ gain: -0.00001, margin: null, metric: "bits-per-byte" })).toBe("±0.0000");
  });
});

const scores = [1, 2].flatMap((seed) =>
  ["server", "ward"].flatMap((party) => [
    scoreOf({ seed, party, value: 0.25, round: 0, variant: "zero-shot" }),
    scoreOf({ seed, party, value: 0.5 + seed / 100 }),
    scoreOf({ seed, party, value: 0.4, variant: party === "ward" ? "standalone" : "public-only" }),
  ]),
);
const RESULTS: ExperimentResults = {
  ...{ version: 1, experiment: "grain", isDryRun: false, seeds: [1, 2], scores },
  cells: [{ name: "a", levels: {}, parties: ["server", "ward"] }],
  runs: [1, 2].map((seed) => ({
    ...{ cell: "a", seed, run: `grain-${seed}`, status: "done", error: null },
    emptyTransfers: seed === 1 ? ["round 1: ward learned nothing."] : [],
  })),
  published: [
    ["fedmkt", "ward", 58.3],
    ["standalone", "ward", 41.5],
    ["zero-shot", "clients", 24],
    ["centralized", "server", 70], // which nobody scored here
  ].map(([variant, party, value]) => ({
    ...{ cell: "a", variant: variant as string, party: party as string, set: "test" },
    ...{ metric: "accuracy" as const, value: value as number },
  })),
  means: meansOf(["a"], scores),
  comparisons: compareAll(
    ["standalone", "public-only"].map((against) => ({ cell: "a", against })),
    ["standalone", "public-only"],
    scores,
  ),
};

describe("an experiment's page", () => {
  const page = renderExperiment(RESULTS);

  it("nests, asks nothing of the network, and has every figure of the tables", () => {
    expect(findNestingMistake(page)).toBeNull();
    expect(page).not.toMatch(/https?:|src=|<script|@import|url\(|javascript:/i);
    for (const text of ["+11.50 ± 6.35", "51.50 ± 0.71", "58.30", "a, seed 1, round 1: ward learned nothing."])
      expect(page).toContain(text);
    expect(page).toContain("a: clients, accuracy, %. round 0: 25.000; round 1: 51.500; standalone: 40.000");
    expect(renderExperiment(structuredClone(RESULTS))).toBe(page);
  });

  it("draws a gain from zero to its mean, and its interval around it", () => {
    const chart = /<figcaption>Gain of the clients.*?<\/svg>/s.exec(page)![0];
    const [, zero] = /class="axis" x1="([\d.]+)"/.exec(chart)!;
    const [, from, width] = /class="gain-better" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"/.exec(chart)!;
    const [, low, high] = /class="whisker" x1="([\d.]+)" x2="([\d.]+)"/.exec(chart)!;
    expect(from).toBe(zero);
    // 11.5 ± 6.35, drawn from 0 to 17.85
    const pixels = (Number(high) - Number(zero)) / 17.8531;
    expect(Number(width) / pixels).toBeCloseTo(11.5, 1);
    expect((Number(low) - Number(zero)) / pixels).toBeCloseTo(5.147, 1);
  });

  it("escapes whatever names come from outside, as do the tables", () => {
    const evil = '<img src=x onerror="alert(1)">&|\n\'';
    const results: ExperimentResults = JSON.parse(JSON.stringify(RESULTS).replaceAll('"ward"', JSON.stringify(evil)));
    const escaped = renderExperiment(results);
    expect(escaped).not.toContain("<img");
    expect(findNestingMistake(escaped)).toBeNull();
    for (const line of writeExperimentMarkdown(results).split("\n"))
      if (line.startsWith("| a ")) expect(line.replaceAll("\\|", "").match(/\|/g)!.length).toBeLessThanOrEqual(9);
    expect(writeExperimentMarkdown(results)).not.toMatch(/&\|/);
  });

  it("says of a dry run that its figures measure nothing, as do the tables", () => {
    const dry = { ...RESULTS, isDryRun: true, seeds: [1] };
    for (const text of [renderExperiment(dry), writeExperimentMarkdown(dry)]) {
      expect(text).toContain("grain, dry run");
      expect(text).toContain("1 cell, seed 1");
      expect(text).toContain(DRY_RUN_NOTE);
    }
    expect(findNestingMistake(renderExperiment(dry))).toBeNull();
    for (const text of [page, writeExperimentMarkdown(RESULTS)]) {
      expect(text).toContain("1 cell, seeds 1, 2");
      expect(text).not.toContain("dry run");
    }
  });

  it("tells of every set what the cell's own runs came to, and baselines where others have a figure of them", () => {
    const rows = setTable(RESULTS).rows.map((row) => row.map(({ text }) => text).join(" | "));
    expect(rows).toEqual([
      "a | fedmkt | server | test | accuracy, % | 2 | 51.50 ± 0.71 | –",
      "a | fedmkt | ward | test | accuracy, % | 2 | 51.50 ± 0.71 | 58.30",
      "a | standalone | ward | test | accuracy, % | 2 | 40.00 ± 0.00 | 41.50",
      "a | zero-shot | clients' mean | test | accuracy, % | 2 | 25.00 ± 0.00 | 24.00",
    ]);
  });

  it("says which runs are missing, and has a page and tables of none", () => {
    const runs = RESULTS.runs.map((run) => ({ ...run, status: "missing" as const, emptyTransfers: [] }));
    const none = { ...RESULTS, runs, scores: [], means: [], comparisons: [] };
    expect(renderExperiment(none)).toContain("2 of 2 runs have not ended.");
    expect(findNestingMistake(renderExperiment(none))).toBeNull();
    expect(setTable(none).rows).toEqual([]);
  });
});
