import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { DOMAIN_NAMES, type DomainTexts, drawSamples, halve, writeDraw } from "../../../bench/experiments/texts.ts";
import { CHOICES, cellName, cellSpec, grid, PAIRS, specHash } from "../../../bench/transfer/grid.ts";
import { CellResults } from "../../../bench/transfer/results.ts";
import { pairedDifference, spread } from "../../../bench/transfer/statistics.ts";
import {
  contrasts,
  type Finished,
  formatContrasts,
  formatTable,
  partyMeans,
  tableRows,
  wholeSeeds,
} from "../../../bench/transfer/table.ts";
import { runSpec } from "../../../shared/src/contracts/run-spec.ts";
import type { RunSummary, Score } from "../../../shared/src/contracts/summary.ts";

const models = {
  ...{ grimm: "/models/a", shakespeare: "/models/b", wikitext: "/models/c", tinystories: "/models/d" },
  server: "/models/server",
};

describe("the grid of the transfer experiment", () => {
  it("has every choice of every pair for every seed, whole seeds first, and trains labels alone once a pair and seed", () => {
    const cells = grid(PAIRS, [1, 2]);
    expect(new Set(cells.map(cellName)).size).toBe(16);
    expect(cells.slice(0, 8).every(({ seed }) => seed === 1)).toBe(true);
    const alone = cells.filter(({ withLabelsAlone }) => withLabelsAlone);
    expect(alone.map(cellName)).toEqual([
      "coarse-fine-group-product-1",
      "like-grain-group-product-1",
      "coarse-fine-group-product-2",
      "like-grain-group-product-2",
    ]);
  });

  it("gives specs that differ within a pair and seed in name, choice and baselines alone, and that the product accepts", () => {
    const specs = grid(["like-grain"], [3]).map((cell) => cellSpec(cell, 4, models, (file) => `/data/${file}.jsonl`));
    for (const spec of specs) {
      expect(runSpec.parse(spec)).toMatchObject({ seed: 3, rounds: 4, simulation: true });
      expect({ ...spec, name: "", distillation: {}, baselines: [] }).toEqual({
        ...specs[0],
        name: "",
        distillation: {},
        baselines: [],
      });
    }
    expect(specs.map(({ distillation }) => [distillation!.learn, distillation!.vocabularyMap])).toEqual(
      CHOICES.map(({ learn, vocabularyMap }) => [learn, vocabularyMap]),
    );
    expect(specs.map(({ baselines }) => baselines)).toEqual([["standalone+public", "public-only"], [], [], []]);
    expect(new Set(specs.map(specHash)).size).toBe(4);
  });
});

describe("the samples of a seed", () => {
  const texts = Object.fromEntries(
    DOMAIN_NAMES.map((domain) => [domain, halve(Array.from({ length: 80 }, (_, index) => `${domain} ${index % 60}`))]),
  ) as Record<(typeof DOMAIN_NAMES)[number], DomainTexts>;
  const counts = { heldOut: 3, publicOfEachDomain: 2, private: 4 };

  it("come of the second half, and never twice", () => {
    expect(texts.grimm.pretraining).toHaveLength(40);
    expect(texts.grimm.pool).toEqual(Array.from({ length: 20 }, (_, index) => `grimm ${40 + index}`));
    const { heldOut, private: privateSets, public: publicSet } = drawSamples(texts, 1, counts);
    const all = [...Object.values(heldOut), ...Object.values(privateSets), publicSet].flat();
    expect(all).toHaveLength(4 * 9);
    expect(new Set(all).size).toBe(all.length);
    for (const text of heldOut.wikitext) expect(texts.wikitext.pool).toContain(text);
    expect(publicSet.filter((text) => text.startsWith("wikitext"))).toHaveLength(2);
  });

  it("are the same for the same seed, others for another, and too few are told", () => {
    expect(drawSamples(texts, 1, counts)).toEqual(drawSamples(texts, 1, counts));
    expect(drawSamples(texts, 2, counts).heldOut).not.toEqual(drawSamples(texts, 1, counts).heldOut);
    expect(() => drawSamples(texts, 1, { ...counts, private: 99 })).toThrow("grimm: expected 99 more samples, got 15");
  });
});

describe("statistics", () => {
  it("give mean and the sample's deviation", () => {
    expect(spread([1, 2, 3, 4])).toEqual({ mean: 2.5, deviation: Math.sqrt(5 / 3), count: 4 });
    expect(spread([7])).toEqual({ mean: 7, deviation: 0, count: 1 });
  });

  it("give a paired difference with its interval by Student's t", () => {
    // differences 1, 2, 3, 4, 5: mean 3, deviation √2.5, t(4) = 2.776
    const { mean, margin, count } = pairedDifference([2, 4, 6, 8, 10], [1, 2, 3, 4, 5]);
    expect(mean).toBe(3);
    expect(margin).toBeCloseTo((2.776 * Math.sqrt(2.5)) / Math.sqrt(5), 12);
    expect(count).toBe(5);
    expect(pairedDifference([1], [3])).toEqual({ mean: -2, margin: null, count: 1 });
  });

  it("refuse what is not paired, and more pairs than the table of t has", () => {
    expect(() => pairedDifference([1], [])).toThrow("expected pairs, got 1 and 0");
    const many = Array.from({ length: 21 }, () => 1);
    expect(() => pairedDifference(many, many)).toThrow("expected at most 20 pairs, got 21");
    expect(pairedDifference(many.slice(1), many.slice(1)).margin).toBe(0);
  });
});

/** Two clients and the server on two sets; a party's values on the sets lie 0.2 apart. */
function finishedRun(
  choice: Finished["choice"],
  seed: number,
  means: { client: number; server: number; labels?: { client: number; server: number } },
): Finished {
  const scoresOf = (variant: string, round: number, party: string, mean: number): Score[] =>
    [-0.1, 0.1].map((offset, index) => ({
      ...{ party, set: `set-${index}`, metric: "bits-per-byte" as const, variant, round, value: mean + offset },
    }));
  const ofBoth = (variant: string, round: number, mean: number) => [
    ...scoresOf(variant, round, "grimm", mean - 0.5),
    ...scoresOf(variant, round, "wikitext", mean + 0.5),
  ];
  const scores = [
    ...ofBoth("fedmkt", 1, 99),
    ...scoresOf("fedmkt", 1, "server", 99),
    ...ofBoth("fedmkt", 2, means.client),
    ...scoresOf("fedmkt", 2, "server", means.server),
    ...(means.labels === undefined
      ? []
      : [
          ...ofBoth("standalone+public", 2, means.labels.client),
          ...scoresOf("public-only", 2, "server", means.labels.server),
        ]),
  ];
  return { pair: "like-grain", choice, seed, summary: { scores, rounds: 2 } };
}

describe("the table of the transfer experiment", () => {
  const [groupProduct, groupMinEdit, tokenProduct, tokenMinEdit] = CHOICES;
  const seed = (number: number, shift: number) => [
    finishedRun(groupProduct, number, {
      ...{ client: 2 + shift, server: 1.5 },
      labels: { client: 2.25, server: 1.25 },
    }),
    finishedRun(groupMinEdit, number, { client: 2.5, server: 1.5 }),
    finishedRun(tokenProduct, number, { client: 2.25 + shift, server: 1.25 }),
    finishedRun(tokenMinEdit, number, { client: 3, server: 1 }),
  ];
  const finished = [...seed(1, 0), ...seed(2, 0.125)];
  const row = (side: string, what: string) =>
    tableRows(finished).find((candidate) => candidate.side === side && candidate.what === what)!;

  it("takes the last round's scores of the side that is asked for", () => {
    const { scores } = finished[0]!.summary;
    expect([...partyMeans(scores, "fedmkt", 2, "clients")]).toEqual([
      ["grimm", 1.5],
      ["wikitext", 2.5],
    ]);
    expect([...partyMeans(scores, "public-only", 2, "server").keys()]).toEqual(["server"]);
    expect(() => partyMeans(scores, "standalone", 2, "server")).toThrow("found none");
  });

  it("compares each choice with labels alone, seed by seed", () => {
    expect(row("clients", "labels alone")).toMatchObject({ bitsPerByte: { mean: 2.25, count: 2 }, difference: null });
    const { bitsPerByte, difference, better } = row("clients", "group, product");
    expect(bitsPerByte.mean).toBeCloseTo(2.0625, 12);
    expect(difference!.mean).toBeCloseTo(-0.1875, 12);
    expect(difference!.margin).toBeCloseTo((12.706 * spread([0, 0.125]).deviation) / Math.SQRT2, 9);
    expect(better).toEqual([4, 4]);
    expect(row("clients", "token, min-edit").better).toEqual([0, 4]);
    expect(row("server", "token, min-edit").difference!.mean).toBeCloseTo(-0.25, 12);
  });

  it("contrasts one choice with the other held", () => {
    const clients = contrasts(finished).filter(({ side }) => side === "clients");
    expect(clients.map(({ first, second, difference }) => [first, second, difference.mean])).toEqual([
      ["group, product", "token, product", expect.closeTo(-0.25, 12)],
      ["group, min-edit", "token, min-edit", expect.closeTo(-0.5, 12)],
      ["group, product", "group, min-edit", expect.closeTo(-0.4375, 12)],
      ["token, product", "token, min-edit", expect.closeTo(-0.6875, 12)],
    ]);
  });

  it("counts only seeds of which every choice has ended", () => {
    const cut = finished.slice(0, 6);
    expect(wholeSeeds(cut, "like-grain")).toEqual([1]);
    expect(tableRows(cut)[0]!.bitsPerByte.count).toBe(1);
    expect(tableRows(finished.slice(0, 2))).toEqual([]);
    expect(contrasts([])).toEqual([]);
  });

  it("is printed as Markdown", () => {
    expect(formatTable(tableRows(finished)).split("\n").slice(0, 4)).toEqual([
      "| pair | who | learn, map | bits per byte | less labels alone, 95 % | better than labels alone | seeds |",
      "|---|---|---|---|---|---|---|",
      "| like-grain | clients | labels alone | 2.250 ± 0.000 | – | – | 2 |",
      "| like-grain | clients | group, product | 2.063 ± 0.088 | −0.1875 ± 0.7941 | 4 of 4 | 2 |",
    ]);
    expect(formatContrasts(contrasts(finished.slice(0, 4))).split("\n")[2]).toBe(
      "| like-grain | clients | group, product | token, product | −0.2500 |",
    );
  });
});

describe("results of cells", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "transfer-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("are found again for the same specification alone", () => {
    const [cell] = grid(["coarse-fine"], [1]);
    const spec = cellSpec(cell!, 4, models, (file) => `/data/${file}.jsonl`);
    const results = new CellResults(join(folder, "runs"));
    expect(results.find(spec)).toBeNull();
    results.keep(spec, { run: spec.name } as RunSummary, 1.5);
    expect(results.find(spec)).toMatchObject({ seconds: 1.5, summary: { run: spec.name } });
    expect(results.find({ ...spec, rounds: 5 })).toBeNull();
  });

  it("and a seed's sets are written as JSON Lines", () => {
    const texts = Object.fromEntries(
      DOMAIN_NAMES.map((domain) => [domain, { pretraining: [], pool: [`${domain} 1`, `${domain} 2`, `${domain} 3`] }]),
    ) as unknown as Record<(typeof DOMAIN_NAMES)[number], DomainTexts>;
    const draw = drawSamples(texts, 1, { heldOut: 1, publicOfEachDomain: 1, private: 1 });
    const path = writeDraw(folder, draw);
    expect(readFileSync(path("private-grimm"), "utf8")).toBe(`${JSON.stringify({ text: draw.private.grimm[0] })}\n`);
    expect(readFileSync(path("public"), "utf8").trim().split("\n")).toHaveLength(4);
  });
});
