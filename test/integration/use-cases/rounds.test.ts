import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { artefactKeys } from "../../../shared/src/contracts/keys.ts";
import { runSummary } from "../../../shared/src/contracts/summary.ts";
import { readKnowledgeShard } from "../../../shared/src/formats/knowledge-shard.ts";
import { parsePeftAdapter } from "../../../shared/src/formats/peft-adapter.ts";
import { sha256 } from "../../../shared/src/formats/sha256.ts";
import { readOutput } from "../../../shared/src/use-cases/job-outputs.ts";
import { type StageRun, stageRun } from "../../support/run-stages.ts";
import { plan, runStages } from "../../support/stage-order.ts";
import { type TinySpec, writeTinyFederation } from "../../support/tiny-federation.ts";

const ANY = 1 << 30;

async function contents({ objects }: StageRun): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const bucket of ["control", "artefacts", "registry"])
    for (const key of await objects.list(bucket, ""))
      found[`${bucket}/${key}`] = sha256(await objects.get(bucket, key, ANY));
  return found;
}

describe("a federation, stage by stage", () => {
  let folder: string;
  let spec: TinySpec;
  let first: StageRun;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "rounds-"));
    spec = writeTinyFederation(folder);
    first = stageRun();
    await runStages(first, spec);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const summary = async (run: StageRun) =>
    runSummary.parse(
      JSON.parse(new TextDecoder().decode(await run.objects.get("artefacts", "runs/tiny/published/summary.json", ANY))),
    );

  it("scores every party on every set before, after each round, and under each baseline", async () => {
    const { scores } = await summary(first);
    for (const party of ["server", "ships", "wards"])
      for (const set of ["ships", "wards"]) {
        const variants = scores
          .filter((score) => score.party === party && score.set === set)
          .map(({ variant, round }) => `${variant} ${round}`);
        const baselines = party === "server" ? ["public-only 2"] : ["standalone 2", "standalone+public 2"];
        expect(variants.sort()).toEqual([...baselines, "fedmkt 1", "fedmkt 2", "zero-shot 0"].sort());
      }
    expect(scores.every(({ value }) => Number.isFinite(value) && value > 0)).toBe(true);
  });

  it("accounts for every public sample in every selection", async () => {
    const { selections, publicSamples } = await summary(first);
    expect(selections).toHaveLength(6);
    for (const { bySource, none, samples } of selections) {
      expect(samples).toBe(publicSamples);
      expect(Object.values(bySource).reduce((sum, count) => sum + count, none)).toBe(samples);
    }
  });

  it("reports what was aligned and kept, both ways, for each pair and round", async () => {
    const { transfers } = await summary(first);
    const directions = transfers.map(({ round, source, target }) => `${round} ${source} ${target}`);
    expect(directions.sort()).toEqual(
      [1, 2]
        .flatMap((round) =>
          ["server ships", "server wards", "ships server", "wards server"].map((pair) => `${round} ${pair}`),
        )
        .sort(),
    );
    for (const { alignedShare, keptMass, unmappedMass, exactMass, bytes } of transfers) {
      expect(alignedShare).toBeGreaterThan(0.2);
      expect(keptMass + unmappedMass).toBeLessThanOrEqual(1 + 1e-6);
      expect(exactMass).toBeLessThanOrEqual(keptMass + 1e-9);
      expect(bytes).toBeGreaterThan(0);
    }
  });

  it("publishes adapters that are whole PEFT folders", async () => {
    for (const party of ["server", "ships", "wards"]) {
      const read = (name: string) =>
        first.objects.get("artefacts", `runs/tiny/published/adapters/${party}/${name}`, ANY);
      const adapter = parsePeftAdapter(
        await read("adapter_config.json"),
        await read("adapter_model.safetensors"),
        party,
      );
      expect(adapter).toBeDefined();
    }
  });

  it("gives the same bytes in every object when the same spec runs again", async () => {
    const second = stageRun();
    await runStages(second, spec);
    expect(await contents(second)).toEqual(await contents(first));
  });

  it("gives the same bytes wherever models and data lie, but for the spec's own hash", async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), "another-place-"));
    try {
      const moved = stageRun();
      await runStages(moved, writeTinyFederation(elsewhere));
      const [here, there] = [await contents(first), await contents(moved)];
      expect(Object.keys(there)).toEqual(Object.keys(here));
      const differing = Object.keys(here).filter((key) => here[key] !== there[key]);
      // what holds the spec, or its hash, holds its places
      expect(differing).toEqual([
        "control/runs/tiny/claims/00001.json",
        "control/runs/tiny/plan.json",
        "control/runs/tiny/run.yaml",
        "artefacts/runs/tiny/published/report.html",
        "artefacts/runs/tiny/published/summary.json",
        ...["server", "ships", "wards"].map((party) => `registry/adapters/${party}/tiny.json`),
      ]);
      const [hash, other] = [(await summary(first)).specHash, (await summary(moved)).specHash];
      expect({ ...(await summary(moved)), specHash: hash }).toEqual(await summary(first));
      const report = async ({ objects }: StageRun) =>
        new TextDecoder().decode(await objects.get("artefacts", "runs/tiny/published/report.html", ANY));
      expect((await report(moved)).replace(other.slice(0, 12), hash.slice(0, 12))).toBe(await report(first));
    } finally {
      rmSync(elsewhere, { recursive: true, force: true });
    }
  });

  it("changes nothing when all stages are called again: finished jobs are found done", async () => {
    const before = await contents(first);
    first.progress.length = 0;
    await runStages(first, spec);
    expect(await contents(first)).toEqual(before);
    expect(first.progress.every(({ phase, reused }) => phase === "done" && reused === true)).toBe(true);
  });

  it("refuses another spec under the same name, naming both hashes", async () => {
    const before = sha256(await first.objects.get("control", "runs/tiny/run.yaml", ANY));
    await expect(plan(first, { ...spec, seed: 8 })).rejects.toMatchObject({
      name: "InvalidInputError",
      code: "RUN_CHANGED",
      message: expect.stringContaining(before),
    });
  });

  it("trains the same as its baseline where λ is 1, so that they differ by the transfer alone", async () => {
    const labels = stageRun();
    await runStages(labels, { ...spec, distillation: { ...spec.distillation, lambda: 1 } });
    const { scores } = await summary(labels);
    for (const [party, baseline] of [
      ["server", "public-only"],
      ["ships", "standalone+public"],
    ]) {
      const value = (variant: string) =>
        scores.find(
          (score) => score.party === party && score.set === "ships" && score.variant === variant && score.round === 2,
        )!.value;
      expect(value("fedmkt")).toBeCloseTo(value(baseline), 5);
    }
  });

  it("averages the clients' adapters by their private samples where asked to", async () => {
    const averaged = stageRun();
    const [ships] = spec.clients;
    const twins: TinySpec = {
      ...spec,
      rounds: 1,
      aggregation: "fedavg",
      baselines: [],
      clients: [ships, { ...ships, id: "boats" }],
    };
    twins.evaluation = [{ name: "ships", data: ships.private }];
    await runStages(averaged, twins);
    const adapter = async (party: string) =>
      sha256(
        await averaged.objects.get("artefacts", `runs/tiny/published/adapters/${party}/adapter_model.safetensors`, ANY),
      );
    expect(await adapter("ships")).toBe(await adapter("boats"));
    const own = await readOutput(
      averaged.deps,
      artefactKeys.job("tiny", 1, "client-distil", "ships"),
      "adapter.safetensors",
    );
    expect(await adapter("ships")).not.toBe(sha256(own));
  });

  it("refuses to average models that differ", async () => {
    await expect(plan(stageRun(), { ...spec, aggregation: "fedavg" })).rejects.toMatchObject({
      code: "MODELS_DIFFER",
      message: expect.stringContaining("wards"),
    });
  });

  it("cuts the public set into shards that hold the same samples for every party", async () => {
    for (const shard of [0, 1]) {
      const ids = [];
      for (const [stage, party] of [
        ["server-extract", "server"],
        ["client-train", "ships"],
        ["client-train", "wards"],
      ]) {
        const name = `knowledge/shard-0000${shard}.safetensors`;
        const bytes = await readOutput(first.deps, artefactKeys.job("tiny", 1, stage, party), name);
        ids.push(readKnowledgeShard(bytes, name, {}).knowledge.sampleIds.join());
      }
      expect(new Set(ids).size).toBe(1);
    }
  });
});
