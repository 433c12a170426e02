import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { type ExperimentResults, experimentResults } from "../../../../shared/src/contracts/experiment-results.ts";
import { readRunSpec } from "../../../../shared/src/contracts/read-run-spec.ts";
import { InvalidInputError } from "../../../../shared/src/core/errors.ts";
import { callCli, makeToyFolder, remove, write } from "../../../support/cli.ts";
import { FakeRuns } from "../../../support/fake-experiment.ts";

const EXPERIMENT = `name: grain
base: run.yaml
seeds: [1, 2, 3]
factors:
  lambda: { low: { distillation: { lambda: 0.3 } }, high: { distillation: { lambda: 0.6 } } }
  public: { one: {}, two: { public: [public.jsonl, ward.jsonl] } }
published:
  low/one:
    harbour/harbour/bits-per-byte: 2.5
    clients/harbour/bits-per-byte: 2.25
    standalone+public/harbour/harbour/bits-per-byte: 3.5
    standalone+public/clients/harbour/bits-per-byte: 3.25
  high/one: { public-only/server/harbour/bits-per-byte: 3 }
`;
const BASELINES = "baselines: [standalone+public, public-only]\n";

describe("fedmkt experiment", () => {
  let folder: string;
  let runs: FakeRuns;
  beforeEach(() => {
    folder = makeToyFolder();
    write(folder, "run.yaml", readFileSync(join(folder, "run.yaml"), "utf8") + BASELINES);
    write(folder, "grain.yaml", EXPERIMENT);
    runs = new FakeRuns();
  });
  afterEach(() => remove(folder));

  const call = (...more: string[]) => callCli(folder, ["experiment", "grain.yaml", ...more], { runLocally: runs.run });
  const at = (...names: string[]) => join(folder, "experiments/grain", ...names);
  const results = (): ExperimentResults =>
    experimentResults.parse(JSON.parse(readFileSync(at("results.json"), "utf8")));
  const bytes = () => ["results.json", "results.md", "results.html"].map((name) => readFileSync(at(name), "utf8"));
  const told = () => runs.specs.map(({ name, baselines }) => `${name}: ${baselines.join(", ") || "-"}`);

  it("runs every cell once a seed, whole seeds first, and baselines by the first cell that they are the same for", async () => {
    const { exitCode, stdout, stderr } = await call();
    expect({ exitCode, stderr: stderr.split("\n")[0] }).toEqual({
      exitCode: 0,
      stderr: "experiment grain: 4 cells, 3 seeds, 12 runs to do, in experiments/grain",
    });
    expect(told().slice(0, 5)).toEqual([
      "grain-low-one-1: standalone+public, public-only",
      "grain-low-two-1: standalone+public, public-only",
      "grain-high-one-1: -",
      "grain-high-two-1: -",
      "grain-low-one-2: standalone+public, public-only",
    ]);
    expect(runs.specs).toHaveLength(12);
    expect(stderr).toContain("low/one, seed 1: started (1 of 12)");
    expect(stderr).toContain("high/two, seed 3: done in 0 s; 0 runs left");
    expect(stdout).toContain("Gains over baselines and other cells, seed by seed");
    expect(stdout).toContain("experiments/grain/results.html");
  });

  it("compares cells with the baselines of another cell's run and with the first cell of the same sets, by seed", async () => {
    await call();
    const { comparisons, means, scores, runs: ended } = results();
    const of = (cell: string, against: string, party: string | null) =>
      comparisons.find((one) => one.cell === cell && one.against === against && one.party === party)!;
    // high's clients: 3.5 − 2 · 0.6 · (1 + seed / 10) against 2: a gain of 1.2 · seed / 10 − 0.3, of seeds 1 to 3
    const gain = of("high/one", "standalone+public", null);
    expect(gain.gain).toBeCloseTo(-0.06, 12);
    expect(gain.margin).toBeCloseTo((4.302652729749462 * 0.12) / Math.sqrt(3), 9);
    expect(gain).toMatchObject({ count: 3, better: 2, of: 6 });
    expect(of("high/one", "public-only", "server")).toMatchObject({ better: 3, of: 3 });
    expect(of("high/one", "public-only", null)).toBeUndefined();
    expect(of("high/one", "low/one", "harbour").gain).toBeCloseTo(0.6 * 1.2, 12);
    expect(of("low/one", "low/one", null)).toBeUndefined();
    const own = means.find((mean) => mean.cell === "low/one" && mean.variant === "fedmkt" && mean.party === "ward")!;
    expect(own.mean).toBeCloseTo(3.5 - 0.6 * 1.2 + 0.2 + 0.02, 12);
    expect(own.deviation).toBeCloseTo(0.06 - 0.01, 12);
    const shared = scores.filter(({ cell, variant }) => cell === "high/two" && variant === "public-only");
    expect(shared.map(({ seed, from }) => [seed, from])).toEqual([1, 2, 3].map((seed) => [seed, "low/two"]));
    expect(ended.every(({ status }) => status === "done")).toBe(true);
    expect(ended.filter(({ emptyTransfers }) => emptyTransfers.length > 0).map(({ cell }) => cell)).toEqual(
      [1, 2, 3].flatMap(() => ["high/one", "high/two"]),
    );
  });

  it("writes tables and a page that tell the same", async () => {
    await call();
    const [, markdown, page] = bytes();
    expect(markdown).toContain("| high/one | standalone+public | bits/byte | 3 | −0.0600 ± 0.2981 | 2 of 6 | – | – |");
    // a baseline that another cell's run trained is this cell's too
    for (const row of [
      "| low/one | fedmkt | harbour | harbour | bits/byte | 3 | 2.9000 ± 0.0500 | 2.5000 |",
      "| low/one | standalone+public | harbour | harbour | bits/byte | 3 | 2.1200 ± 0.0100 | 3.5000 |",
      "| low/one | fedmkt | clients' mean | harbour | bits/byte | 3 | 2.9500 ± 0.0500 | 2.2500 |",
      "| low/one | standalone+public | clients' mean | harbour | bits/byte | 3 | 2.1700 ± 0.0100 | 3.2500 |",
      "| high/one | public-only | server | harbour | bits/byte | 3 | 3.0200 ± 0.0100 | 3.0000 |",
    ])
      expect(markdown).toContain(row);
    expect(markdown).toMatch(/- high\/one, seed 1, round 1: server learned nothing from others.*And 5 more such/);
    for (const text of ["−0.0600 ± 0.2981", "high/one against low/one", "2.9000 ± 0.0500"])
      expect(page).toContain(text);
    expect(page).not.toMatch(/https?:|src=|<script|@import|url\(|javascript:/i);
  });

  it("runs nothing again that is done, and takes shards and logs of it away", async () => {
    await call();
    const before = bytes();
    expect(existsSync(at("cells/low/one"))).toBe(true);
    const [run] = readdirSync(at("cells/low/one"));
    expect(readdirSync(at("cells/low/one", run!)).sort()).toEqual([
      "adapters",
      "report.html",
      "run.json",
      "spec.yaml",
      "summary.json",
    ]);
    const { exitCode, stderr } = await call("--keep");
    expect(exitCode).toBe(0);
    expect(stderr).toContain("0 runs to do, 12 done before");
    expect(runs.specs).toHaveLength(12);
    expect(bytes()).toEqual(before);
  });

  it("keeps shards where that is asked for, and takes them away when it is asked for no more", async () => {
    await call("--keep");
    const [run] = readdirSync(at("cells/low/one"));
    expect(existsSync(at("cells/low/one", run!, "aws/objects/shard"))).toBe(true);
    await call();
    expect(existsSync(at("cells/low/one", run!, "aws"))).toBe(false);
  });

  it("goes on after Ctrl-C where it stopped, and ends in the same bytes", async () => {
    await call();
    const whole = bytes();
    remove(at());
    runs = new FakeRuns();
    const controller = new AbortController();
    runs.beforeEnd = ({ name }) => {
      if (name === "grain-low-two-2") controller.abort();
    };
    const interrupted = await callCli(folder, ["experiment", "grain.yaml"], {
      runLocally: runs.run,
      signal: controller.signal,
    });
    expect(interrupted.exitCode).toBe(1);
    expect(interrupted.stderr).toContain(
      "Interrupted (RUN_INTERRUPTED): stopped by hand; 5 of 12 runs done, the same command goes on where it stopped",
    );
    expect(results().runs.filter(({ status }) => status === "done")).toHaveLength(5);
    runs = new FakeRuns();
    expect((await call()).exitCode).toBe(0);
    expect(told().slice(0, 2)).toEqual(["grain-low-two-2: standalone+public, public-only", "grain-high-one-2: -"]);
    expect(bytes()).toEqual(whole);
  });

  it("runs the others where one fails, tells it, and tries it again next time", async () => {
    runs.beforeEnd = ({ name }) => {
      if (name === "grain-low-two-2") throw new InvalidInputError("DATASET_INVALID", "public.jsonl: no | good");
    };
    const failed = await call();
    expect(failed.exitCode).toBe(1);
    expect(failed.stdout).toContain("low/two, seed 2 failed: InvalidInputError: public.jsonl: no | good");
    expect(runs.specs).toHaveLength(12);
    expect(results().runs.filter(({ status }) => status !== "done")).toMatchObject([
      { cell: "low/two", seed: 2, status: "failed", error: "InvalidInputError: public.jsonl: no | good" },
    ]);
    expect(readFileSync(at("results.md"), "utf8")).toContain("no \\| good");
    runs = new FakeRuns();
    expect((await call()).exitCode).toBe(0);
    expect(told()).toEqual(["grain-low-two-2: standalone+public, public-only"]);
  });

  it("runs what a longer file adds, and what was changed, and no more", async () => {
    const once = EXPERIMENT.replace("[1, 2, 3]", "[1]").replace(/^ {2}high\/one:.*\n/m, "");
    write(folder, "grain.yaml", once);
    write(folder, "run.yaml", readFileSync(join(folder, "run.yaml"), "utf8").replace(", public-only", ""));
    await call();
    expect(runs.specs).toHaveLength(4);
    // a baseline that no run had: one more of each first cell, with it alone
    runs = new FakeRuns();
    write(
      folder,
      "run.yaml",
      readFileSync(join(folder, "run.yaml"), "utf8").replace("+public", "+public, public-only"),
    );
    await call();
    expect(told()).toEqual(["grain-low-one-1: public-only", "grain-low-two-1: public-only"]);
    expect(
      results().scores.filter(({ cell, variant }) => cell === "high/one" && variant === "public-only"),
    ).toHaveLength(1);
    // other cells' settings
    runs = new FakeRuns();
    write(folder, "grain.yaml", once.replace("lambda: 0.6", "lambda: 0.7"));
    await call();
    expect(told()).toEqual(["grain-high-one-1: -", "grain-high-two-1: -"]);
  });

  it("runs chosen cells alone, and says what there is and what is done", async () => {
    expect((await call("--only", "low/*")).exitCode).toBe(0);
    expect(new Set(runs.specs.map(({ name }) => name.slice(0, -2)))).toEqual(
      new Set(["grain-low-one", "grain-low-two"]),
    );
    const listed = await call("--list");
    expect(listed.stdout).toContain("done    low/one, seed 1 (grain-low-one-1)\n");
    expect(listed.stdout).toContain("to do   high/two, seed 3 (grain-high-two-3)\n6 of 12 runs done\n");
    const none = await call("--only", "low.*");
    expect(none).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("--only: no cell is called low.*; there are"),
    });
    expect((await call("--only", "low/oen")).stderr).toContain("did you mean low/one?");
  });

  it("repeats a few names of cells alone where none is meant", async () => {
    const levels = Array.from({ length: 40 }, (_, index) => `l${index}: {}`).join(", ");
    write(folder, "grain.yaml", `{ name: grain, base: run.yaml, seeds: [1], runs: { ${levels} } }`);
    expect((await call("--list", "--only", "nothing-near/*")).stderr).toMatch(
      /there are l0, l1, .*, l11 and 28 more, which --list tells\n/,
    );
  });

  it("does one thing at a time", async () => {
    for (const [options, got] of [
      [["--list", "--dry-run"], "--list and --dry-run"],
      [["--specs", "specs", "--dry-run"], "--specs and --dry-run"],
    ] as const)
      expect(await call(...options)).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining(`expected one of --list, --specs and --dry-run, got ${got}`),
      });
    expect(existsSync(join(folder, "specs"))).toBe(false);
  });

  it("says in few words that a file is of the other kind", async () => {
    const asExperiment = await callCli(folder, ["experiment", "run.yaml"], {});
    expect(asExperiment.stderr).toMatch(/run\.yaml: expected an experiment's file, got a run's spec; .*\n$/);
    for (const argv of [
      ["validate", "grain.yaml"],
      ["run", "--local", "grain.yaml"],
      ["plan", "grain.yaml"],
    ]) {
      const { exitCode, stderr } = await callCli(folder, argv, {});
      expect(exitCode).toBe(2);
      expect(stderr).toContain("grain.yaml: expected a run's spec, got an experiment's file");
      expect(stderr).not.toContain("unknown key");
    }
  });

  it("gives chosen cells the baselines that others were to train, and does not train them again with those", async () => {
    await call("--only", "high/one");
    expect(told()[0]).toBe("grain-high-one-1: standalone+public, public-only");
    await call();
    expect(told().slice(3, 6)).toEqual([
      "grain-low-one-1: -",
      "grain-low-two-1: standalone+public, public-only",
      "grain-high-two-1: -",
    ]);
  });

  it("does not ask for what cells that are not chosen are to be run with", async () => {
    write(folder, "grain.yaml", EXPERIMENT.replace("ward.jsonl", "not-here.jsonl"));
    expect((await call("--only", "*/one")).exitCode).toBe(0);
    const { exitCode, stderr } = await call("--only", "low/*");
    expect(exitCode).toBe(2);
    expect(stderr).toContain("not-here.jsonl, which does not exist (cell low/two)");
  });

  it("runs several at once where that is asked for, and ends in the same bytes", async () => {
    await call();
    const one = bytes();
    remove(at());
    runs = new FakeRuns();
    let [now, most] = [0, 0];
    runs.beforeEnd = async () => {
      most = Math.max(most, ++now);
      await new Promise((done) => setTimeout(done, 1));
      now--;
    };
    expect((await call("--concurrency", "3")).exitCode).toBe(0);
    expect(most).toBe(3);
    expect(bytes()).toEqual(one);
    expect(await call("--concurrency", "0")).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("from 1 to 64"),
    });
  });

  it("writes the specs for runs elsewhere, each with all its baselines", async () => {
    const { exitCode, stdout } = await call("--specs", "specs", "--only", "high/*");
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "6 specs in specs\n" });
    const spec = readRunSpec(readFileSync(join(folder, "specs/grain-high-two-3.yaml"), "utf8"), "spec");
    expect(spec).toMatchObject({
      seed: 3,
      baselines: ["standalone+public", "public-only"],
      distillation: { lambda: 0.6 },
    });
    expect(runs.specs).toEqual([]);
    expect(existsSync(at())).toBe(false);
  });

  it("tells programs the same in one envelope", async () => {
    const { stdout } = await call("--json");
    const { ok, data } = JSON.parse(stdout);
    expect(ok).toBe(true);
    expect(data).toMatchObject({ experiment: "grain", comparisons: results().comparisons, runs: results().runs });
  });

  it("refuses a folder of something else, and one where an experiment goes on", async () => {
    write(folder, "other/file", "");
    expect(await call("--out", "other")).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("FOLDER_IN_USE"),
    });
    await call("--only", "low/one");
    write(folder, "grain.yaml", EXPERIMENT.replace("grain", "gravel"));
    expect((await call("--out", "experiments/grain")).stderr).toContain("expected the experiment gravel, holds grain");
    write(folder, "grain.yaml", EXPERIMENT);
    let second = { stderr: "" };
    runs.beforeEnd = async () => {
      second = await call();
    };
    await call("--only", "low/two");
    expect(second.stderr).toContain("FOLDER_IN_USE");
  });

  it("runs nothing where a spec is wrong", async () => {
    write(folder, "grain.yaml", EXPERIMENT.replace("lambda: 0.6", "lambda: 6").replace("ward.jsonl", "none.jsonl"));
    const { exitCode, stderr } = await call();
    expect(exitCode).toBe(2);
    expect(stderr).toContain(
      "line 5, factors.lambda.high.distillation.lambda: expected at most 1, got 6 (cell high/one and 1 more)",
    );
    expect(stderr).toContain("line 6, factors.public.two.public[1]: expected a file");
    expect(runs.specs).toEqual([]);
    expect(existsSync(at())).toBe(false);
  });
});
