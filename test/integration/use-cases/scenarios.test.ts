import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { artefactKeys, controlKeys } from "../../../shared/src/contracts/keys.ts";
import { plan as planSchema } from "../../../shared/src/contracts/plan.ts";
import type { Baseline } from "../../../shared/src/contracts/run-spec.ts";
import { type RunSummary, runSummary, type Score } from "../../../shared/src/contracts/summary.ts";
import { readSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { sha256 } from "../../../shared/src/formats/sha256.ts";
import { closeRound } from "../../../shared/src/use-cases/close-round.ts";
import { finishedJob, readOutput } from "../../../shared/src/use-cases/job-outputs.ts";
import { adapterBeforeRound } from "../../../shared/src/use-cases/party-outputs.ts";
import { readJson } from "../../../shared/src/use-cases/read-json.ts";
import { recordUsage } from "../../../shared/src/use-cases/record-usage.ts";
import { type StageRun, stageRun } from "../../support/run-stages.ts";
import { plan, runStages } from "../../support/stage-order.ts";
import { type TinySpec, writeTinyFederation } from "../../support/tiny-federation.ts";

const ADAPTER = "adapter.safetensors";
const ANY = 1 << 30;
const ALL: Baseline[] = [
  ...(["standalone", "standalone+public", "public-only", "centralized", "no-distillation"] as const),
  ...(["fedavg", "fedavg+public", "one-way"] as const),
];

let folder: string;
let spec: TinySpec;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "scenarios-"));
  const tiny = writeTinyFederation(folder);
  const [ships, wards] = tiny.clients;
  // three clients with one model, so that they can be averaged: one leaves, one stays, one comes
  spec = {
    ...tiny,
    rounds: 3,
    clients: [
      { ...ships, leavesAfterRound: 2 },
      { ...ships, id: "boats", private: wards.private },
      { ...ships, id: "rafts", private: wards.private, joinsAtRound: 2 },
    ],
    evaluation: [{ name: "ships", data: ships.private, owner: "ships" }],
    baselines: [],
  };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(given: TinySpec, beforeClose?: Parameters<typeof runStages>[2]): Promise<StageRun> {
  const started = stageRun();
  await runStages(started, given, beforeClose && ((round, name) => beforeClose(round, name)));
  return started;
}
const summaryOf = (of: StageRun): Promise<RunSummary> =>
  readJson(of.objects, "artefacts", `${artefactKeys.published("tiny")}/summary.json`, runSummary);
const adapterOf = async (of: StageRun, ...job: [run: string, round: number, stage: string, party: string]) =>
  sha256(await readOutput(of.deps, artefactKeys.job(...job), ADAPTER));
const published = async (of: StageRun, party: string) =>
  sha256(
    await of.objects.get(
      "artefacts",
      `${artefactKeys.published("tiny")}/adapters/${party}/adapter_model.safetensors`,
      ANY,
    ),
  );
const under = (of: StageRun, prefix: string) => of.objects.list("artefacts", prefix);
const jobsUnder = async (of: StageRun, name: string) =>
  (await under(of, artefactKeys.run(name)))
    .filter((key) => key.endsWith("/manifest.json"))
    .map((key) => key.slice(artefactKeys.run(name).length).replace("/manifest.json", ""));
const rounds = (scores: readonly Score[], variant: string, party: string) =>
  scores.filter((one) => one.variant === variant && one.party === party).map(({ round }) => round);
const values = (scores: readonly Score[], variant: string) =>
  scores.filter((one) => one.variant === variant).map(({ party, round, value }) => ({ party, round, value }));

describe("a run with every baseline, a client that leaves and one that comes", () => {
  let whole: StageRun;
  let summary: RunSummary;
  beforeAll(async () => {
    whole = await run({ ...spec, baselines: ALL });
    summary = await summaryOf(whole);
  });

  it("scores each party after each round that it takes part in, also in variants, where the server never learns", () => {
    for (const variant of ["fedmkt", "fedavg", "fedavg+public", "one-way"]) {
      expect([variant, rounds(summary.scores, variant, "ships")]).toEqual([variant, [1, 2]]);
      expect([variant, rounds(summary.scores, variant, "boats")]).toEqual([variant, [1, 2, 3]]);
      expect([variant, rounds(summary.scores, variant, "rafts")]).toEqual([variant, [2, 3]]);
      expect([variant, rounds(summary.scores, variant, "server")]).toEqual([
        variant,
        variant === "fedmkt" ? [1, 2, 3] : [],
      ]);
    }
    expect(rounds(summary.scores, "centralized", "server")).toEqual([3]);
    expect(rounds(summary.scores, "standalone", "ships")).toEqual([2]);
    expect(rounds(summary.scores, "standalone", "rafts")).toEqual([3]);
    expect(summary.scores.every(({ value }) => Number.isFinite(value) && value > 0)).toBe(true);
    expect(summary.baselines).toEqual(["zero-shot", ...ALL]);
    expect(summary.variants).toEqual(
      ["fedavg", "fedavg+public", "one-way"].map((name) => ({ name, rounds: 3, stopped: null })),
    );
  });

  it("gives what would come without distillation under that name too, from the jobs of the labels alone", async () => {
    const without = values(summary.scores, "no-distillation");
    expect(without).toHaveLength(4);
    expect(without).toEqual(
      expect.arrayContaining([
        ...values(summary.scores, "standalone+public"),
        ...values(summary.scores, "public-only"),
      ]),
    );
    const baselines = (await jobsUnder(whole, "tiny")).filter((job) => job.includes("/baselines/"));
    expect(baselines.some((job) => job.endsWith("no-distillation"))).toBe(false);
  });

  it("publishes everybody's adapter as their last round left it", async () => {
    expect(summary.adapters.map(({ party }) => party)).toEqual(["server", "ships", "boats", "rafts"]);
    for (const [party, round] of [
      ["ships", 2],
      ["boats", 3],
      ["rafts", 3],
    ] as const)
      expect(await published(whole, party)).toBe(await adapterOf(whole, "tiny", round, "client-distil", party));
    expect(await jobsUnder(whole, "tiny")).not.toContain("parties/ships/round-3/evaluate");
  });

  it("has nobody do anything in rounds that are not theirs", async () => {
    const jobs = await jobsUnder(whole, "tiny");
    expect(jobs.filter((job) => job.startsWith("parties/rafts/round-1/"))).toEqual([]);
    expect(jobs.filter((job) => job.startsWith("parties/ships/round-3/"))).toEqual([]);
    expect(jobs.filter((job) => /round-1\/aligned\/.*rafts|round-3\/aligned\/.*ships/.test(job))).toEqual([]);
    expect(jobs.filter((job) => /round-3\/aligned\/rafts--server/.test(job))).toHaveLength(2);
    const { selections } = summary;
    expect(selections.filter(({ target }) => target === "server").map(({ bySource }) => Object.keys(bySource))).toEqual(
      [
        ["ships", "boats"],
        ["ships", "boats", "rafts"],
        ["boats", "rafts"],
      ],
    );
  });

  it("does once what a variant's first round has in common with the run's", async () => {
    for (const variant of ["fedavg", "fedavg+public", "one-way"]) {
      const jobs = await jobsUnder(whole, `tiny--${variant}`);
      expect(jobs).toContain("parties/boats/round-1/client-distil");
      expect(jobs).toContain("parties/boats/round-2/client-train");
      expect(jobs.filter((job) => /round-1\/client-train/.test(job) || job.includes("server/"))).toEqual([]);
    }
    // two vocabularies, each way, for the run and all its variants
    expect(await under(whole, "vocabulary-maps/")).toHaveLength(2);
  });

  it("averages private training alone under fedavg, by private samples, and whoever comes later begins with the average", async () => {
    const name = "tiny--fedavg";
    for (const party of ["ships", "boats"])
      expect(await adapterOf(whole, name, 1, "client-distil", party)).toBe(
        await adapterOf(whole, "tiny", 1, "client-train", party),
      );
    const tensors = async (key: string) => readSafetensors(await readOutput(whole.deps, key, ADAPTER), key).tensors;
    const averaged = await tensors(artefactKeys.averaged(name, 1));
    const own = await Promise.all(
      ["ships", "boats"].map((party) => tensors(artefactKeys.job("tiny", 1, "client-train", party))),
    );
    for (const [tensor, { data }] of averaged)
      for (const [index, value] of (data as Float32Array).entries()) {
        // four private samples each
        const mean = own.reduce((sum, of) => sum + Number(of.get(tensor)!.data[index]), 0) / 2;
        expect(value).toBeCloseTo(mean, 6);
      }
    const planned = await readJson(whole.objects, "control", controlKeys.plan(name), planSchema);
    expect(adapterBeforeRound(planned, { round: 2, party: "rafts" })).toBe(artefactKeys.averaged(name, 1));
    const main = await readJson(whole.objects, "control", controlKeys.plan("tiny"), planSchema);
    expect(adapterBeforeRound(main, { round: 2, party: "rafts" })).toBeNull();
    expect((await finishedJob(whole.deps, artefactKeys.averaged(name, 2)))!.metrics).toMatchObject({ clients: 3 });
    expect((await finishedJob(whole.deps, artefactKeys.averaged(name, 3)))!.metrics).toMatchObject({ clients: 2 });
  });

  it("plans each variant with a spec of its own and the run's samples", async () => {
    const planned = async (name: string) => readJson(whole.objects, "control", controlKeys.plan(name), planSchema);
    const main = await planned("tiny");
    const oneWay = await planned("tiny--one-way");
    expect(oneWay.variantOf).toEqual({ run: "tiny", variant: "one-way" });
    expect(oneWay.spec.distillation.direction).toBe("to-clients");
    expect(oneWay.public).toEqual(main.public);
    expect((await planned("tiny--fedavg")).spec).toMatchObject({
      aggregation: "fedavg",
      distillation: { direction: "none" },
      server: { training: { publicEpochs: 0 } },
      clients: main.spec.clients.map(() => ({ training: { publicEpochs: 0 } })),
    });
    // none of them is a run that somebody started
    expect(await whole.objects.head("control", controlKeys.spec("tiny--fedavg"))).toBeNull();
    expect(await whole.objects.list("control", controlKeys.claims("tiny--fedavg"))).toEqual([]);
  });

  it("changes nothing when all stages are called again", async () => {
    const contents = async () => {
      const found: Record<string, string> = {};
      for (const bucket of ["control", "artefacts", "registry"])
        for (const key of await whole.objects.list(bucket, ""))
          found[`${bucket}/${key}`] = sha256(await whole.objects.get(bucket, key, ANY));
      return found;
    };
    const before = await contents();
    whole.progress.length = 0;
    await runStages(whole, { ...spec, baselines: ALL });
    expect(await contents()).toEqual(before);
    expect(whole.progress.every(({ phase, reused }) => phase === "done" && reused === true)).toBe(true);
  });

  it.each([
    ["one-way", { distillation: { lambda: 0.5, topK: 16, direction: "to-clients" } }],
    ["fedavg+public", { distillation: { lambda: 0.5, topK: 16, direction: "none" }, aggregation: "fedavg" }],
  ] as const)("has in %s what a run of that kind is by itself", async (variant, change) => {
    const alone = await run({ ...spec, ...change });
    const { scores, adapters } = await summaryOf(alone);
    expect(values(scores, "fedmkt")).toEqual(values(summary.scores, variant));
    expect(adapters.map(({ party }) => party)).toEqual(["ships", "boats", "rafts"]);
    const jobs = await jobsUnder(alone, "tiny");
    const ofServer = jobs.filter((job) => job.startsWith("parties/server/round-"));
    expect(ofServer).toEqual(variant === "one-way" ? ["parties/server/round-1/server-extract"] : []);
    if (variant === "fedavg+public") expect(jobs.filter((job) => job.includes("/aligned/"))).toEqual([]);
    else expect(jobs.filter((job) => /--server\//.test(job))).toEqual([]);
  });

  it("has in fedavg what a run of private training and averaging is by itself", async () => {
    const unlabelled = <P extends { training: { learningRate: number } }>(party: P) => ({
      ...party,
      training: { ...party.training, publicEpochs: 0 },
    });
    const alone = await run({
      ...spec,
      server: unlabelled(spec.server),
      clients: spec.clients.map(unlabelled),
      distillation: { lambda: 0.5, topK: 16, direction: "none" },
      aggregation: "fedavg",
    });
    expect(values((await summaryOf(alone)).scores, "fedmkt")).toEqual(values(summary.scores, "fedavg"));
  });
});

describe("a run with λ = 1", () => {
  it("gives the bytes of its baselines of labels alone, for every party, in whatever rounds it takes part", async () => {
    const labels = await run({
      ...spec,
      baselines: ["no-distillation"],
      distillation: { ...spec.distillation, lambda: 1 },
    });
    const baseline = async (party: string, name: string) =>
      sha256(await readOutput(labels.deps, artefactKeys.baseline("tiny", party, name), ADAPTER));
    expect(await published(labels, "server")).toBe(await baseline("server", "public-only"));
    for (const party of ["ships", "boats", "rafts"])
      expect(await published(labels, party)).toBe(await baseline(party, "standalone+public"));
    const { scores, baselines } = await summaryOf(labels);
    expect(baselines).toEqual(["zero-shot", "no-distillation"]);
    const last = scores.filter(
      ({ variant, party, round }) => variant === "fedmkt" && round === (party === "ships" ? 2 : 3),
    );
    expect(last.map(({ party, value }) => [party, value]).sort()).toEqual(
      values(scores, "no-distillation")
        .map(({ party, value }) => [party, value])
        .sort(),
    );
  });
});

describe("a run without transfer or averaging", () => {
  it("is every client's own baseline of private and public labels, to the byte", async () => {
    const alone = await run({
      ...spec,
      baselines: ["standalone+public"],
      distillation: { ...spec.distillation, direction: "none" },
    });
    for (const party of ["ships", "boats", "rafts"]) {
      const baseline = artefactKeys.baseline("tiny", party, "standalone+public");
      expect(await published(alone, party)).toBe(sha256(await readOutput(alone.deps, baseline, ADAPTER)));
    }
    const { selections, transfers } = await summaryOf(alone);
    expect([selections, transfers]).toEqual([[], []]);
    expect(await under(alone, "vocabulary-maps/")).toEqual([]);
  });
});

describe("centralized", () => {
  it("trains the server on the private sets of each round's clients and on the public one", async () => {
    const given: TinySpec = { ...spec, baselines: ["centralized", "public-only"] };
    const central = await run(given);
    const steps = async (name: string) =>
      (await finishedJob(central.deps, artefactKeys.baseline("tiny", "server", name)))!.metrics.steps;
    // 8, 12 and 8 private samples, two a step
    expect((await steps("centralized")) - (await steps("public-only"))).toBe(4 + 6 + 4);
    const { scores } = await summaryOf(central);
    expect(values(scores, "centralized")).not.toEqual(values(scores, "public-only"));
  });

  it("is refused in a cloud where a private set is its owner's alone, before anything begins", async () => {
    const elsewhere = stageRun();
    const kept = "s3://control/material/boats/private.jsonl";
    const given: TinySpec = {
      ...spec,
      baselines: ["centralized"],
      clients: spec.clients.map((client) => ({ ...client, private: kept })),
    };
    const cloud = { ...elsewhere, deps: { ...elsewhere.deps, readsLocalFiles: false } };
    await expect(plan(cloud, given)).rejects.toMatchObject({
      name: "InvalidInputError",
      code: "PRIVATE_SET_KEPT",
      message: expect.stringContaining(`client ships: private: ${kept}`),
    });
  });
});

describe("one client", () => {
  it("and the server teach each other as many do", async () => {
    const [ships] = spec.clients;
    const pair = await run({
      ...spec,
      rounds: 2,
      clients: [{ ...ships, leavesAfterRound: undefined }],
      baselines: ["standalone+public", "one-way"],
    });
    const { scores, transfers } = await summaryOf(pair);
    expect(rounds(scores, "fedmkt", "server")).toEqual([1, 2]);
    expect(rounds(scores, "one-way", "ships")).toEqual([1, 2]);
    expect(transfers.map(({ round, source, target }) => `${round} ${source} ${target}`)).toEqual([
      ...["1 ships server", "1 server ships", "2 ships server", "2 server ships"],
    ]);
  });
});

describe("a run that is to end", () => {
  const wish = (of: StageRun) => of.objects.put("control", controlKeys.stop("tiny"), new Uint8Array());
  const given = (): TinySpec => ({
    ...spec,
    rounds: 2,
    clients: spec.clients.slice(0, 2),
    baselines: ["fedavg", "one-way"],
  });

  it("within a variant leaves that one out of its scores and begins no further one", async () => {
    const stopped = stageRun();
    await runStages(stopped, given(), async (round, name) => {
      if (name === "tiny--fedavg" && round === 1) await wish(stopped);
    });
    const { scores, variants, baselines, stopped: main } = await summaryOf(stopped);
    expect(main).toBeNull();
    expect(rounds(scores, "fedmkt", "boats")).toEqual([1, 2]);
    expect(variants).toEqual([
      { name: "fedavg", rounds: 1, stopped: "request" },
      { name: "one-way", rounds: 0, stopped: "request" },
    ]);
    expect(baselines).toEqual(["zero-shot"]);
    expect(values(scores, "fedavg")).toEqual([]);
    expect(await jobsUnder(stopped, "tiny--one-way")).toEqual([]);
  });

  it("after its last round begins no variant, for want of money too", async () => {
    const poor = stageRun();
    await runStages(poor, { ...given(), budget: { dollars: 1 } }, async (round, name) => {
      if (round === 2)
        await recordUsage(poor.deps, "dear", {
          ...{ run: name, round, stage: "server-distil", party: "server", seconds: 36_000 },
          ...{ instanceType: "g5.xlarge", spot: false },
        });
    });
    const { stopped, variants, adapters } = await summaryOf(poor);
    expect(stopped).toEqual({ afterRound: 2, reason: "budget" });
    expect(variants.map((one) => one.rounds)).toEqual([0, 0]);
    expect(adapters).toHaveLength(3);
    // as it was decided, however often it is asked
    expect(await closeRound(poor.deps)({ run: "tiny", round: 2 })).toMatchObject({ done: true, next: null });
  });

  it("counts what its variants have used", async () => {
    const dear = stageRun();
    await runStages(dear, { ...given(), budget: { dollars: 1 } }, async (round, name) => {
      if (round === 1 && name === "tiny--fedavg")
        await recordUsage(dear.deps, "dear", {
          ...{ run: name, round, stage: "client-distil", party: "boats", seconds: 36_000 },
          ...{ instanceType: "g5.xlarge", spot: false },
        });
    });
    expect((await summaryOf(dear)).variants[0]).toEqual({ name: "fedavg", rounds: 1, stopped: "budget" });
  });

  it("before somebody's first round publishes nothing of them", async () => {
    const early = stageRun();
    await runStages(early, spec, async (round) => {
      if (round === 1) await wish(early);
    });
    const { adapters, scores } = await summaryOf(early);
    expect(adapters.map(({ party }) => party)).toEqual(["server", "ships", "boats"]);
    expect(rounds(scores, "fedmkt", "rafts")).toEqual([]);
  });
});
