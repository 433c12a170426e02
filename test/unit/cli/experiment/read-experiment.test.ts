import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { mergeSpecs, partAt } from "../../../../cli/src/experiment/merge-specs.ts";
import { nameRuns } from "../../../../cli/src/experiment/name-runs.ts";
import { readExperiment } from "../../../../cli/src/experiment/read-experiment.ts";
import type { SpecPlace } from "../../../../cli/src/read-spec-file.ts";
import type { InvalidSpecError } from "../../../../shared/src/contracts/spec-mistake.ts";
import { makeToyFolder, remove, write } from "../../../support/cli.ts";

const HERE = (): SpecPlace => ({ mayReadS3: false });

describe("parts of a spec", () => {
  it("are merged where they are mappings, and replaced where they are lists or single values", () => {
    const lower = { rounds: 1, public: ["a", "b"], distillation: { lambda: 0.9, topK: 8 } };
    expect(mergeSpecs([lower, { public: ["c"], distillation: { lambda: 0.3 } }, { rounds: 2, seed: 7 }])).toEqual({
      ...{ rounds: 2, public: ["c"], seed: 7 },
      distillation: { lambda: 0.3, topK: 8 },
    });
    expect(lower.distillation.lambda).toBe(0.9);
  });

  it("are found again by what they say", () => {
    const parts = [{ a: { b: 1, c: 2 }, d: [0] }, { a: { b: 3 } }, { d: [1, { e: 2 }] }];
    expect(partAt(parts, ["a", "b"])).toBe(1);
    expect(partAt(parts, ["a", "c"])).toBe(0);
    expect(partAt(parts, ["a", "x"])).toBe(1);
    expect(partAt(parts, ["d", 1, "e"])).toBe(2);
    expect(partAt(parts, ["x"])).toBe(0);
  });
});

describe("runs' names", () => {
  const cell = (name: string) => ({ name, levels: {} });
  const names = (...cells: string[]) => nameRuns("grain", cells.map(cell), [1, 12]);

  it("say experiment, levels and seed, in what a run's name may hold", () => {
    expect(names("0.3/RTE").get("0.3/RTE")!.get(12)).toBe("grain-0-3-rte-12");
    expect(
      nameRuns("grain", [cell("grain")], [1])
        .get("grain")!
        .get(1),
    ).toBe("grain-1");
  });

  it("are told apart by a hash where they would be equal or too long, and stay so whatever other cells there are", () => {
    const found = names("0.3", "0-3", "x".repeat(60));
    const all = [...found.values()].flatMap((ofSeed) => [...ofSeed.values()]);
    expect(new Set(all).size).toBe(6);
    for (const name of all) expect(name).toMatch(/^grain-(?!.*--)[a-z0-9-]{1,34}$/);
    expect(names("x".repeat(60)).get("x".repeat(60))).toEqual(found.get("x".repeat(60)));
  });
});

describe("an experiment's specs", () => {
  let folder: string;
  beforeEach(() => {
    folder = makeToyFolder();
  });
  afterEach(() => remove(folder));

  const read = (text: string) => {
    write(folder, "sets/grain.yaml", text);
    return readExperiment("sets/grain.yaml", { cwd: folder, env: {} }, HERE);
  };
  const mistakesOf = async (text: string) =>
    read(text).then(
      () => [],
      (error: InvalidSpecError) =>
        error.mistakes.map(({ line, path, message }) => `${line ?? "-"} ${path}: ${message}`),
    );

  it("are the base with each cell's changes, seed by seed, their locations relative to where they are written", async () => {
    for (const seed of [3, 4]) write(folder, `sets/draw-${seed}.jsonl`, '{"text":"a"}\n');
    const { runs, cells } = await read(`name: grain
base: ../run.yaml
seeds: [3, 4]
factors:
  lambda: { low: { distillation: { kd_alpha: 0.3 } }, high: { distillation: { lambda: 0.6 } } }
runs:
  own: {}
  drawn: { public: ["draw-\${SEED}.jsonl"], name: mine, seed: 9 }
`);
    expect(cells.map(({ name }) => name)).toEqual(["low/own", "low/drawn", "high/own", "high/drawn"]);
    expect(
      runs.map(({ cell, seed, spec }) => [cell.name, seed, spec.name, spec.seed, spec.distillation.lambda]),
    ).toEqual([
      ["low/own", 3, "grain-low-own-3", 3, 0.3],
      ["low/drawn", 3, "grain-low-drawn-3", 3, 0.3],
      ["high/own", 3, "grain-high-own-3", 3, 0.6],
      ["high/drawn", 3, "grain-high-drawn-3", 3, 0.6],
      ["low/own", 4, "grain-low-own-4", 4, 0.3],
      ["low/drawn", 4, "grain-low-drawn-4", 4, 0.3],
      ["high/own", 4, "grain-high-own-4", 4, 0.6],
      ["high/drawn", 4, "grain-high-drawn-4", 4, 0.6],
    ]);
    expect(runs[0]!.spec.public).toEqual([{ path: join(folder, "public.jsonl") }]);
    expect(runs[0]!.spec.server.model).toBe(join(folder, "models/server"));
    expect([runs[1]!, runs[7]!].map(({ spec }) => spec.public)).toEqual([
      [{ path: join(folder, "sets/draw-3.jsonl") }],
      [{ path: join(folder, "sets/draw-4.jsonl") }],
    ]);
  });

  it("may start from a spec in the file itself", async () => {
    const { runs } = await read(`name: grain
base:
  rounds: 1
  sampleBytes: 100
  server: { model: ../models/server, training: { learningRate: 0.1 } }
  clients: [{ id: ward, model: ../models/ward, private: ../ward.jsonl, training: { learningRate: 0.1 } }]
  public: [../public.jsonl]
seeds: [1]
`);
    expect(runs.map(({ spec }) => [spec.name, spec.clients[0]!.private.path])).toEqual([
      ["grain-1", join(folder, "ward.jsonl")],
    ]);
  });

  it("tell every mistake at once: where it is written, and which cells have it", async () => {
    write(folder, "bad.yaml", "rounds: 1\nsampleBytes: 2\npublic: [public.jsonl]\nkd_alpha: 2\n");
    const mistakes = await mistakesOf(`name: grain
base: ../bad.yaml
seeds: [1, 2]
factors:
  who:
    one: { server: { model: ../models/none, training: { learningRat: 1 } } }
    two:
      server: { model: ../models/server, training: { learningRate: 1 } }
runs:
  a: { clients: [{ id: ward, model: ../models/ward, private: "ward-\${SEED}.jsonl", training: { learningRate: 1 } }] }
  b: { clients: [] }
`);
    expect(mistakes.map((text) => text.replaceAll(folder, "FOLDER"))).toEqual([
      "2 base, ../bad.yaml, line 2, sampleBytes: expected at least 8, got 2",
      "2 base, ../bad.yaml, line 4, kd_alpha: expected at most 1, got 2",
      "6 factors.who.one.server.training.learningRate: missing; expected a number (cell one/a and 1 more)",
      "6 factors.who.one.server.training.learningRat: unknown key; did you mean learningRate? (cell one/a and 1 more)",
      "6 factors.who.one.server.model: expected a model's folder, got FOLDER/models/none, which does not exist (cell one/a and 1 more)",
      "10 runs.a.clients[0].private: client ward: expected a file, got FOLDER/sets/ward-1.jsonl, which does not exist (cell one/a and 1 more)",
      "10 runs.a.clients[0].private: client ward: expected a file, got FOLDER/sets/ward-2.jsonl, which does not exist (cell one/a and 1 more)",
      "11 runs.b.clients: expected at least 1 item, got [] (cell one/b and 1 more)",
    ]);
  });

  it("refuse figures of others that nothing of their cell stands beside", async () => {
    const mistakes = await mistakesOf(`name: grain
base:
  rounds: 1
  sampleBytes: 100
  server: { model: ../models/server, training: { learningRate: 0.1 } }
  clients: [{ id: ward, model: ../models/ward, private: ../ward.jsonl, training: { learningRate: 0.1 } }]
  public: [../public.jsonl]
  evaluation: [{ name: test, data: ../ward.jsonl }]
seeds: [1]
runs:
  own: {}
  beside: { baselines: [standalone] }
published:
  own: { server/test/bits-per-byte: 1, zero-shot/clients/test/bits-per-byte: 2, standalone/ward/test/bits-per-byte: 3 }
  beside:
    standalone/ward/test/bits-per-byte: 3
    ward/tset/accurracy: 4
    standalone/quay/test/bits-per-byte: 5
`);
    expect(mistakes).toEqual([
      '14 published.own.standalone/ward/test/bits-per-byte: "standalone" is no baseline of the cell; there are zero-shot',
      '17 published.beside.ward/tset/accurracy: "tset" is no held-out set of the cell; there are test',
      expect.stringContaining('"accurracy" is no metric of the cell; there are bits-per-byte, '),
      '18 published.beside.standalone/quay/test/bits-per-byte: "quay" is no party of the cell; there are clients, server, ward',
    ]);
  });

  it("name the base that is missing, or is no YAML", async () => {
    await expect(read("{ name: a, base: none.yaml, seeds: [1] }")).rejects.toMatchObject({ code: "SPEC_MISSING" });
    write(folder, "sets/broken.yaml", "a: 1\na: 2\n");
    expect(await mistakesOf("{ name: a, base: broken.yaml, seeds: [1] }")).toEqual([
      "1 base, broken.yaml, line 2: the key a is given twice",
    ]);
    await expect(readExperiment("none.yaml", { cwd: folder, env: {} }, HERE)).rejects.toMatchObject({
      code: "SPEC_MISSING",
    });
  });
});
