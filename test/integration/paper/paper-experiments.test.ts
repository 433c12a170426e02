import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { shrinkSpec } from "../../../cli/src/experiment/dry-run/shrink-spec.ts";
import { type Experiment, readExperiment } from "../../../cli/src/experiment/read-experiment.ts";
import { measureRun } from "../../../cli/src/plan/measure-run.ts";
import { writeSpec } from "../../../cli/src/read-spec-file.ts";
import { NOT_HERE_YET } from "../../../cli/src/site-data.ts";
import { checkMaterial } from "../../../cli/src/validate/check-material.ts";
import { artefactKeys } from "../../../shared/src/contracts/keys.ts";
import { partySpec, type RunSpecInput } from "../../../shared/src/contracts/run-spec.ts";
import { runSummary } from "../../../shared/src/contracts/summary.ts";
import { VARIANTS } from "../../../shared/src/contracts/variants.ts";
import { estimateCost } from "../../../shared/src/core/cost/estimate-cost.ts";
import { stageRun } from "../../support/run-stages.ts";
import { runStages } from "../../support/stage-order.ts";

const PAPER = resolve(import.meta.dirname, "../../../examples/paper");
const FILES = readdirSync(PAPER).filter((name) => name.endsWith(".yaml"));
const read = (file: string) => readExperiment(join(PAPER, file), { cwd: PAPER, env: {} }, () => NOT_HERE_YET);

const folder = mkdtempSync(join(tmpdir(), "fedmkt-paper-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const runOf = ({ runs }: Experiment, cell: string) => runs.find((run) => run.cell.name === cell)!;

describe("the paper's experiments", () => {
  it("are eight tasks in five scenarios", async () => {
    const { cells } = await read("paper.yaml");
    expect(cells).toHaveLength(40);
    const tasks = ["rte", "wic", "boolq", "commonsenseqa", "arc-easy", "arc-challenge", "sni", "dialogsum"];
    const scenarios = ["heterogeneous", "homogeneous-s1", "homogeneous-s2", "one-to-one-s1", "one-to-one-s2"];
    expect(cells.map(({ name }) => name)).toEqual(
      tasks.flatMap((task) => scenarios.map((scenario) => `${task}/${scenario}`)),
    );
  });

  it("have the figures that the paper published, of the method and of its baselines, as README.md tells them", async () => {
    const tasks: Record<string, string> = {
      ...{ RTE: "rte", WiC: "wic", BoolQ: "boolq", CommonsenseQA: "commonsenseqa", "ARC-E": "arc-easy" },
      ...{ "ARC-C": "arc-challenge", "S-NI": "sni", DialogSum: "dialogsum" },
    };
    const told: Record<string, Record<string, number>> = {};
    const take = (cell: string, figures: string, places: readonly string[]) => {
      const values = figures.split(" / ").map(Number);
      expect(values).toHaveLength(places.length);
      const metric = /^(sni|dialogsum)/.test(cell) ? "rouge-l" : "accuracy";
      told[cell] ??= {};
      for (const [index, place] of places.entries()) told[cell][`${place}/test/${metric}`] = values[index]!;
    };
    const readme = readFileSync(join(PAPER, "README.md"), "utf8");
    for (const line of readme.slice(readme.indexOf("## What the paper says")).split("\n")) {
      const [task, ...figures] = line
        .slice(1, -1)
        .split(" | ")
        .map((text) => text.trim());
      if (tasks[task!] === undefined) continue;
      const of = (scenario: string) => `${tasks[task!]}/${scenario}`;
      const clients = ["gpt2-xl", "opt", "bloom", "llama"];
      if (figures.length === 5) {
        for (const [index, id] of clients.entries())
          take(of("heterogeneous"), figures[index]!, [`zero-shot/${id}`, `standalone/${id}`, id]);
        take(of("heterogeneous"), figures[4]!, ["zero-shot/server", "server", "centralized/server"]);
        continue;
      }
      // of both scenarios the server's, then of both the clients'
      const isOneToOne = told[of("homogeneous-s1")] !== undefined;
      const scenario = isOneToOne ? "one-to-one" : "homogeneous";
      for (const [index, own] of ["s1", "s2"].entries()) {
        const id = isOneToOne ? ["llama", "opt"][index] : "clients";
        const averaged = isOneToOne ? "one-way" : "fedavg";
        take(of(`${scenario}-${own}`), figures[index]!, ["zero-shot/server", "centralized/server", "server"]);
        const places = [`zero-shot/${id}`, `standalone/${id}`, `${averaged}/${id}`, `${id}`];
        take(of(`${scenario}-${own}`), figures[2 + index]!, places);
      }
    }
    expect(Object.values(told).flatMap(Object.keys)).toHaveLength(8 * 15 + 12 * 7);
    expect((await read("paper.yaml")).file.published).toEqual(told);
  });

  it("have the hyper-parameters of the paper's appendix, whatever the product's defaults become", async () => {
    for (const { cell, spec } of (await read("paper.yaml")).runs) {
      expect(spec).toMatchObject({ method: "paper", rounds: 5 });
      expect(spec.distillation.lambda).toBe(0.9);
      for (const id of ["server", ...spec.clients.map((client) => client.id)]) {
        const { model, lora, training } = partySpec(spec, id);
        expect(lora).toMatchObject({ rank: 8, alpha: 16, dropout: 0.05 });
        expect(training).toMatchObject({
          ...{ batchSize: 4, betas: [0.9, 0.95], weightDecay: 0.1, clipNorm: 1, warmupRatio: 0.008 },
          ...{ privateEpochs: 1, publicEpochs: 1 },
        });
        const llama = cell.levels.task === "arc-easy" ? 2e-5 : 3e-5;
        const rates: Record<string, number> = { "gpt2-xl": 3e-4, "opt-1.3b": 3e-5, "bloom-1b1": 3e-5 };
        expect(training.learningRate).toBe(rates[model.split("/").at(-1)!] ?? llama);
      }
    }
  });

  it("give each client a private part of its own, and nobody the public one", async () => {
    for (const { spec } of (await read("paper.yaml")).runs) {
      const parts = [...spec.public, ...spec.clients.map((client) => client.private)];
      expect(new Set(parts.map(({ path }) => path)).size).toBe(spec.clients.length + 1);
      expect(new Set(parts.map(({ samples }) => samples)).size).toBe(1);
      expect(parts.map(({ path }) => path)).not.toContain(spec.evaluation[0].data.path);
    }
  });

  it.each(FILES)("%s: every spec is right and can be planned without weights and data", async (file) => {
    const { runs } = await read(file);
    for (const { spec } of runs) {
      const { mistakes, checked, unchecked } = await checkMaterial(spec, writeSpec(spec).yaml);
      expect(mistakes).toEqual([]);
      expect(checked.filter((line) => line.includes("its config.json alone"))).toHaveLength(spec.clients.length + 1);
      expect(unchecked.length).toBeGreaterThan(spec.clients.length + 1);
      const { size, parties } = await measureRun(spec);
      // no guess: a model of so many parameters as its publishers say
      expect(size.server.parameters).toBe(file === "glue.yaml" ? 3_212_749_824 : 6_738_415_616);
      for (const { memoryBytes } of parties) expect(memoryBytes!.checkpointed).toBeLessThan(48 * 2 ** 30);
      const { dollars } = estimateCost(size, { instanceType: "g6e.xlarge", spot: true, machineHours: null });
      expect(dollars).toBeGreaterThan(1);
      expect(dollars).toBeLessThan(100);
    }
  });

  it.each(FILES)(
    "%s: every spec shrinks to one that plans on its own models and rows",
    async (file) => {
      const { runs } = await read(file);
      for (const { spec } of runs) {
        const small = shrinkSpec(spec, join(folder, spec.name));
        const { mistakes, unchecked } = await checkMaterial(small, writeSpec(small).yaml);
        expect({ run: spec.name, mistakes, unchecked }).toEqual({ run: spec.name, mistakes: [], unchecked: [] });
      }
    },
    180_000,
  );
});

// each scenario, each task's kind and each architecture once; `fedmkt experiment examples/paper/paper.yaml --dry-run` runs all
describe("a dry run", () => {
  it.each([
    ["paper.yaml", "commonsenseqa/heterogeneous", ["accuracy", "accuracy-by-length"]],
    ["paper.yaml", "boolq/homogeneous-s2", ["accuracy", "accuracy-by-length"]],
    ["paper.yaml", "sni/one-to-one-s1", ["rouge-l"]],
    ["other-benchmarks.yaml", "finqa", ["nats-per-token", "token-accuracy"]],
  ])(
    "of %s, %s, goes from the first stage to its published scores",
    async (file, cell, metrics) => {
      const { spec } = runOf(await read(file), cell);
      const small = shrinkSpec(spec, join(folder, "run", spec.name));
      const run = stageRun();
      await runStages(run, small as RunSpecInput);
      const json = await run.objects.get("artefacts", `${artefactKeys.published(spec.name)}/summary.json`, 1e7);
      const { scores } = runSummary.parse(JSON.parse(new TextDecoder().decode(json)));
      expect(new Set(scores.map(({ metric }) => metric))).toEqual(new Set(metrics));
      const parties = ["server", ...spec.clients.map(({ id }) => id)];
      expect(new Set(scores.filter(({ variant }) => variant === "fedmkt").map(({ party }) => party))).toEqual(
        new Set(parties),
      );
      // variants are whole runs of their own, which this shortcut past the machine leaves out
      const jobs = spec.baselines.filter((baseline) => !VARIANTS.some((variant) => variant === baseline));
      for (const baseline of jobs) expect(scores.map(({ variant }) => variant)).toContain(baseline);
      for (const { value } of scores) expect(value).toBeGreaterThanOrEqual(0);
    },
    180_000,
  );

  it("keeps every setting but the number of rounds, models, data and the length of answers", async () => {
    const { spec } = runOf(await read("paper.yaml"), "sni/heterogeneous");
    const small = shrinkSpec(spec, join(folder, "settings"));
    const { rounds, public: publicSets, evaluation, clients, server, ...kept } = small;
    expect({ ...spec, ...kept }).toEqual(spec);
    expect(rounds).toBe(1);
    expect(clients.map(({ model: _, private: __, ...client }) => client)).toEqual(
      spec.clients.map(({ model: _, private: __, ...client }) => client),
    );
    expect(server).toEqual({ ...spec.server, model: server.model });
    expect(evaluation[0]).toEqual({ ...spec.evaluation[0], maxTokens: 8, data: evaluation[0].data });
    expect(publicSets[0]).toMatchObject({ template: "sni", samples: 8 });
    expect(new Set([server, ...clients].map(({ model }) => model)).size).toBe(5);
  });
});
