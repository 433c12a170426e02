import { describe, expect, it } from "@jest/globals";
import { cellsOf } from "../../../shared/src/contracts/experiment-cells.ts";
import { examineExperimentFile } from "../../../shared/src/contracts/read-experiment-file.ts";

const RIGHT = `name: grain
base: run.yaml
seeds: [1, 2]
factors:
  lambda:
    "0.3": { distillation: { lambda: 0.3 } }
    "0.6": { distillation: { lambda: 0.6 } }
  task:
    rte: { sampleBytes: 200 }
    wic: { sampleBytes: 300 }
runs:
  product: { method: product }
  fate: { method: fate }
exclude:
  - { task: wic, lambda: 0.3 }
  - { task: rte, run: fate, lambda: "0.6" }
published:
  0.6/wic/fate: { server/test/accuracy: 58.3, zero-shot/server/test/accuracy: 30 }
compare:
  - { cell: 0.6/wic/product, against: 0.6/wic/fate }
  - { cell: 0.6/wic/product, against: standalone+public }
`;

const mistakesIn = (text: string) =>
  examineExperimentFile(text).mistakes.map(({ line, path, message }) => `${line ?? "-"} ${path}: ${message}`);

describe("an experiment's file", () => {
  it("makes cells of its factors' levels and named runs, in their order, without those that are excluded", () => {
    const { file, mistakes } = examineExperimentFile(RIGHT);
    expect(mistakes).toEqual([]);
    expect(cellsOf(file!)).toEqual([
      { name: "0.3/rte/product", levels: { lambda: "0.3", task: "rte", run: "product" } },
      { name: "0.3/rte/fate", levels: { lambda: "0.3", task: "rte", run: "fate" } },
      { name: "0.6/rte/product", levels: { lambda: "0.6", task: "rte", run: "product" } },
      { name: "0.6/wic/product", levels: { lambda: "0.6", task: "wic", run: "product" } },
      { name: "0.6/wic/fate", levels: { lambda: "0.6", task: "wic", run: "fate" } },
    ]);
  });

  it("has one cell, of its own name, where nothing varies", () => {
    const { file } = examineExperimentFile("{ name: plain, base: { rounds: 1 }, seeds: [3] }");
    expect(cellsOf(file!)).toEqual([{ name: "plain", levels: {} }]);
  });

  it("is told all its mistakes at once, with lines and suggestions", () => {
    const wrong = `name: Grain
base: 7
seeds: [1, 1, -2]
factor: {}
factors:
  lambda:
    "0.3": [1]
    "a b": {}
  run: { one: {} }
exclude:
  - { lamda: "0.3" }
  - { lambda: "0.33" }
published:
  x: { server/accuracy: 1, server/test/accuracy: high }
compare:
  - { cell: nothing, against: standalone-public }
`;
    expect(mistakesIn(wrong)).toEqual([
      '1 name: expected lower-case letters, digits and single -, starting with a letter or digit, at most 40, got "Grain"',
      "2 base: expected a text or a mapping of keys to values, got 7",
      "3 seeds[2]: expected at least 0, got -2",
      "3 seeds[1]: the seed 1 is given twice",
      "4 factor: unknown key; did you mean factors?",
      "7 factors.lambda.0.3: expected a mapping of keys to values, got [1]",
      '8 factors.lambda.a b: expected a name of letters, digits and . + _ = -, starting with a letter or digit, at most 63, got "a b"',
      "9 factors.run: run is what named runs are called; expected another name",
      "11 exclude[0].lamda: there is no factor lamda; did you mean lambda?",
      '12 exclude[1].lambda: lambda has no level "0.33"; did you mean 0.3?',
      '14 published.x.server/test/accuracy: expected a number, got "high"',
      '14 published.x: there is no cell "x"; there are 0.3/one, a b/one',
      "14 published.x.server/accuracy: expected party/set/metric, such as server/test/accuracy, or a baseline's, such as zero-shot/server/test/accuracy",
      '16 compare[0].cell: there is no cell "nothing"; there are 0.3/one, a b/one',
      '16 compare[0].against: there is no cell or baseline "standalone-public"; did you mean standalone+public?',
    ]);
    expect(mistakesIn("{ name: a, base: b, seeds: [1], factors: { none: {} }, exclude: [{}] }")).toEqual([
      "1 factors.none: has no level; expected at least one",
      "1 exclude[0]: names no level, and so leaves out every cell",
    ]);
  });

  it("may not be larger than anybody would run", () => {
    const levels = Array.from({ length: 400 }, (_, index) => `l${index}: {}`).join(", ");
    expect(mistakesIn(`{ name: big, base: a, seeds: [1], factors: { a: { ${levels} }, b: { ${levels} } } }`)).toEqual([
      "1 factors: expected at most 100000 runs, got 160000",
    ]);
  });

  it("may not leave out every cell, nor compare a cell with itself", () => {
    expect(mistakesIn("{ name: a, base: b, seeds: [1], runs: { one: {} }, exclude: [{ run: one }] }")).toEqual([
      "1 exclude: leaves no cell; expected at least one",
    ]);
    expect(
      mistakesIn("{ name: a, base: b, seeds: [1], runs: { one: {} }, compare: [{ cell: one, against: one }] }"),
    ).toEqual(["1 compare[0]: compares a cell with itself"]);
  });

  it("takes a cell's name that YAML reads as a number, as levels are", () => {
    const two = "{ name: a, base: b, seeds: [1], runs: { 0.3: {}, 0.6: {} }";
    expect(examineExperimentFile(`${two}, compare: [{ cell: 0.6, against: 0.3 }] }`).file!.compare).toEqual([
      { cell: "0.6", against: "0.3" },
    ]);
    expect(mistakesIn(`${two}, compare: [{ cell: 0.7, against: 0.3 }] }`)).toEqual([
      '1 compare[0].cell: there is no cell "0.7"; did you mean 0.3?',
    ]);
  });

  it("has to be there", () => {
    expect(mistakesIn("")).toEqual(["- : is empty; expected an experiment"]);
    expect(mistakesIn("a: [")[0]).toMatch(/^1 : /);
  });
});
