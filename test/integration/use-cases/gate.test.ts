import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { artefactKeys, CHECKPOINT } from "../../../shared/src/contracts/keys.ts";
import { type RunSummary, runSummary } from "../../../shared/src/contracts/summary.ts";
import { TransientError } from "../../../shared/src/core/errors.ts";
import { readKnowledgeShard } from "../../../shared/src/formats/knowledge-shard.ts";
import { sha256 } from "../../../shared/src/formats/sha256.ts";
import { clientTrain } from "../../../shared/src/use-cases/client-train.ts";
import { finishedJob, readOutput } from "../../../shared/src/use-cases/job-outputs.ts";
import { runBaseline } from "../../../shared/src/use-cases/run-baseline.ts";
import { type StageRun, stageRun } from "../../support/run-stages.ts";
import { plan, runStages } from "../../support/stage-order.ts";
import { type TinySpec, writeTinyFederation } from "../../support/tiny-federation.ts";
import { withGate, withHarm, withRate } from "../../support/validation-sets.ts";

const ANY = 1 << 30;
const ADAPTER = "adapter.safetensors";

let folder: string;
let plain: TinySpec;
let gated: TinySpec;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fedmkt-gate-"));
  plain = writeTinyFederation(folder);
  gated = withGate(folder, plain);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function ran(spec: TinySpec): Promise<StageRun> {
  const run = stageRun();
  await runStages(run, spec);
  return run;
}

async function summaryOf({ objects }: StageRun): Promise<RunSummary> {
  const bytes = await objects.get("artefacts", "runs/tiny/published/summary.json", ANY);
  return runSummary.parse(JSON.parse(new TextDecoder().decode(bytes)));
}

const job = (round: number, stage: string, party: string) => artefactKeys.job("tiny", round, stage, party);
const adapterOf = async ({ deps }: StageRun, folderOfJob: string, name = ADAPTER) =>
  sha256(await readOutput(deps, folderOfJob, name));
const metricsOf = async ({ deps }: StageRun, folderOfJob: string) => (await finishedJob(deps, folderOfJob))!.metrics;

async function knowledgeOf({ deps }: StageRun, folderOfJob: string) {
  const name = "knowledge/shard-00000.safetensors";
  return readKnowledgeShard(await readOutput(deps, folderOfJob, name), name, {}).knowledge;
}

describe("a gate that lets every round pass", () => {
  it("changes no party's adapter, and tells what each round did to each party", async () => {
    const [without, tolerant] = [plain, withGate(folder, plain, 1000)].map((spec) => ({ ...spec, baselines: [] }));
    const [ungated, passed] = [await ran(without), await ran(tolerant)];
    for (const round of [1, 2])
      for (const [stage, party] of [
        ["server-distil", "server"],
        ["client-distil", "ships"],
        ["client-distil", "wards"],
      ])
        expect(await adapterOf(passed, job(round, stage, party))).toBe(
          await adapterOf(ungated, job(round, stage, party)),
        );
    const { gates } = await summaryOf(passed);
    expect(gates.map(({ round, party, undone }) => [round, party, undone])).toEqual(
      [1, 2].flatMap((round) => ["server", "ships", "wards"].map((party) => [round, party, false])),
    );
    for (const { round, party, before } of gates)
      if (round === 2) expect(before).toBe(gates.find((gate) => gate.round === 1 && gate.party === party)!.after);
    expect((await summaryOf(ungated)).gates).toEqual([]);
  });
});

describe("a server whose rounds make it worse", () => {
  let run: StageRun;
  beforeAll(async () => {
    run = await ran(withHarm(folder, gated, "server"));
  });

  it("keeps the adapter it had, round after round, and says so", async () => {
    const { gates } = await summaryOf(run);
    const [first, second] = gates.filter(({ party }) => party === "server");
    expect([first.undone, second.undone]).toEqual([true, true]);
    expect(first.after).toBeGreaterThan(first.before);
    expect(second.before).toBe(first.before);
    expect(await metricsOf(run, job(1, "server-distil", "server"))).toMatchObject({
      undone: 1,
      validationBefore: first.before,
      validationAfter: first.after,
    });
    const kept = await adapterOf(run, job(1, "server-distil", "server"));
    expect(await adapterOf(run, job(2, "server-distil", "server"))).toBe(kept);
    const published = "runs/tiny/published/adapters/server/adapter_model.safetensors";
    expect(sha256(await run.objects.get("artefacts", published, ANY))).toBe(kept);
  });

  it("offers the knowledge of the adapter it kept, not of the one that it trained", async () => {
    const before = await knowledgeOf(run, job(1, "server-extract", "server"));
    for (const round of [1, 2]) expect(await knowledgeOf(run, job(round, "server-distil", "server"))).toEqual(before);
    const ruined = await ran({ ...withRate(plain, "server", 0.1), rounds: 1, baselines: [], evaluation: [] });
    expect(await knowledgeOf(ruined, job(1, "server-distil", "server"))).not.toEqual(before);
  });

  it("scores as it did before the first round", async () => {
    const { scores } = await summaryOf(run);
    for (const { set, value } of scores.filter(({ party, variant }) => party === "server" && variant === "zero-shot"))
      for (const round of [1, 2])
        expect(scores).toContainEqual(
          expect.objectContaining({ party: "server", set, variant: "fedmkt", round, value }),
        );
  });

  it("leaves the clients their own rounds", async () => {
    const { gates } = await summaryOf(run);
    expect(gates.some(({ party, undone }) => party !== "server" && !undone)).toBe(true);
  });

  it("is told in the report, by what it was before and would have been", async () => {
    const report = new TextDecoder().decode(await run.objects.get("artefacts", "runs/tiny/published/report.html", ANY));
    expect(report).toMatch(/<th[^>]*>validation<\/th>/);
    expect(report).toMatch(/>[\d.]+ → [\d.]+, undone</);
  });
});

describe("a client whose rounds make it worse", () => {
  let run: StageRun;
  beforeAll(async () => {
    run = await ran(withHarm(folder, gated, "ships"));
  });

  it("goes back to before its private training, not only to before its distillation", async () => {
    const fresh = await adapterOf(run, job(1, "client-train", "ships"), "fresh-adapter.safetensors");
    for (const round of [1, 2]) {
      expect(await adapterOf(run, job(round, "client-distil", "ships"))).toBe(fresh);
      expect(await adapterOf(run, job(round, "client-train", "ships"))).not.toBe(fresh);
    }
    const { gates } = await summaryOf(run);
    expect(gates.filter(({ party }) => party === "ships").map(({ undone }) => undone)).toEqual([true, true]);
  });

  it("is compared with a baseline that was protected likewise", async () => {
    for (const baseline of ["standalone", "standalone+public"]) {
      const kept = artefactKeys.baseline("tiny", "ships", baseline);
      expect(await metricsOf(run, kept)).toMatchObject({ undoneRounds: 2 });
      expect(await adapterOf(run, kept)).toBe(
        await adapterOf(run, job(1, "client-train", "ships"), "fresh-adapter.safetensors"),
      );
    }
  });
});

describe("a run whose rounds are judged", () => {
  it("ends in the same bytes though jobs were stopped in training before they were undone", async () => {
    const harmed = withHarm(
      folder,
      withHarm(folder, { ...gated, rounds: 1, baselines: [], evaluation: [] }, "server"),
      "ships",
    );
    const whole = await ran(harmed);
    const run = stageRun();
    for (const [stage, party] of [
      ["client-train", "ships"],
      ["server-distil", "server"],
      ["client-distil", "ships"],
    ]) {
      const stop = new AbortController();
      const stopped: typeof run.deps = {
        ...run.deps,
        interruption: { ...run.deps.interruption, signal: stop.signal },
        progress: (event) => {
          if (event.stage === stage && event.party === party && event.phase === "training")
            stop.abort(new TransientError("WORKER_STOPPED", "stopped"));
        },
      };
      await expect(runStages({ ...run, deps: stopped }, harmed)).rejects.toMatchObject({ code: "WORKER_STOPPED" });
    }
    await runStages(run, harmed);
    expect((await metricsOf(run, job(1, "server-distil", "server"))).undone).toBe(1);
    const contents = async ({ objects }: StageRun) => {
      const keys = (await objects.list("artefacts", "")).filter((key) => !key.endsWith(CHECKPOINT));
      return Promise.all(keys.map(async (key) => `${key} ${sha256(await objects.get("artefacts", key, ANY))}`));
    };
    expect(await contents(run)).toEqual(await contents(whole));
  });
});

describe("a party without a validation set", () => {
  it("is not judged though others are", async () => {
    const { validation: _, ...server } = gated.server;
    const { gates } = await summaryOf(await ran({ ...gated, rounds: 1, baselines: [], server }));
    expect(gates.map(({ party }) => party)).toEqual(["ships", "wards"]);
  });
});

describe("a run without knowledge (λ = 1) under a gate", () => {
  it("leaves every party what its baseline does, whichever rounds were undone", async () => {
    // rates at which a round helps and another one harms
    const rates = { server: 0.2, ships: 0.2, wards: 0.1 };
    const begun: TinySpec = {
      ...gated,
      rounds: 4,
      distillation: { ...gated.distillation, lambda: 1 },
    };
    const spec = Object.entries(rates).reduce((given, [party, rate]) => withRate(given, party, rate), begun);
    const run = await ran(spec);
    const { gates } = await summaryOf(run);
    for (const [stage, party, baseline] of [
      ["server-distil", "server", "public-only"],
      ["client-distil", "ships", "standalone+public"],
      ["client-distil", "wards", "standalone+public"],
    ]) {
      const folderOfJob = artefactKeys.baseline("tiny", party, baseline);
      expect(await adapterOf(run, job(4, stage, party))).toBe(await adapterOf(run, folderOfJob));
      const own = gates.filter((gate) => gate.party === party);
      const { undoneRounds, validation } = await metricsOf(run, folderOfJob);
      expect(undoneRounds).toBe(own.filter(({ undone }) => undone).length);
      const last = own.at(-1)!;
      expect(validation).toBe(last.undone ? last.before : last.after);
    }
    expect(new Set(gates.map(({ undone }) => undone))).toEqual(new Set([true, false]));
  });
});

describe("clients that are averaged", () => {
  it("are judged each before that, and begin the next round as the average is", async () => {
    const [ships] = gated.clients;
    const boats = { ...withHarm(folder, gated, "ships").clients[0], id: "boats" };
    const spec: TinySpec = {
      ...gated,
      aggregation: "fedavg",
      baselines: [],
      clients: [ships, boats],
      evaluation: [{ name: "ships", data: ships.private }],
    };
    const run = await ran(spec);
    const fresh = await adapterOf(run, job(1, "client-train", "boats"), "fresh-adapter.safetensors");
    expect(await adapterOf(run, job(1, "client-distil", "boats"))).toBe(fresh);
    expect(await adapterOf(run, job(1, "client-distil", "ships"))).not.toBe(fresh);
    const { gates } = await summaryOf(run);
    const of = (round: number, party: string) => gates.find((gate) => gate.round === round && gate.party === party)!;
    expect([of(1, "ships").undone, of(1, "boats").undone]).toEqual([false, true]);
    // the average is neither what the one nor what the other had
    expect(of(2, "ships").before).not.toBe(of(1, "ships").after);
    expect(of(2, "boats").before).not.toBe(of(1, "boats").before);
    // an undone round leaves the average, not the fresh adapter
    expect(of(2, "boats").undone).toBe(true);
    expect(await adapterOf(run, job(2, "client-distil", "boats"))).toBe(
      await adapterOf(run, artefactKeys.averaged("tiny", 1)),
    );
  });
});

describe("a variant of a judged run", () => {
  it("is judged likewise, from what its first round shares with the run's", async () => {
    const spec: TinySpec = { ...withHarm(folder, gated, "ships"), baselines: ["one-way"] };
    const run = await ran(spec);
    const fresh = await adapterOf(run, job(1, "client-train", "ships"), "fresh-adapter.safetensors");
    const of = (round: number, party: string) => artefactKeys.job("tiny--one-way", round, "client-distil", party);
    expect(await finishedJob(run.deps, artefactKeys.job("tiny--one-way", 1, "client-train", "ships"))).toBeNull();
    for (const round of [1, 2]) {
      expect(await adapterOf(run, of(round, "ships"))).toBe(fresh);
      expect(await metricsOf(run, of(round, "ships"))).toMatchObject({ undone: 1 });
      expect(await metricsOf(run, of(round, "wards"))).toMatchObject({ undone: 0 });
    }
    const lossBefore = async (round: number) => (await metricsOf(run, of(round, "ships"))).validationBefore;
    expect(await lossBefore(2)).toBe(await lossBefore(1));
  });
});

describe("a validation set", () => {
  const withValidation = (party: "server" | "ships", lines: string[]): TinySpec => {
    const path = join(folder, "data", `${party}-other.jsonl`);
    writeFileSync(path, lines.map((text) => `${JSON.stringify({ text })}\n`).join(""));
    if (party === "server") return { ...gated, server: { ...gated.server, validation: path } };
    return {
      ...gated,
      clients: gated.clients.map((client) => (client.id === party ? { ...client, validation: path } : client)),
    };
  };

  it("of the server that shares samples with the public set is refused before anything runs, with their number", async () => {
    const spec = withValidation("server", ["a quiet shore", "the doctor", "the ward and the ship"]);
    await expect(plan(stageRun(), spec)).rejects.toMatchObject({
      name: "InvalidInputError",
      code: "VALIDATION_OVERLAPS",
      message: expect.stringMatching(/^server: validation: .* 2 of 3 are in the public set/),
    });
  });

  it.each([
    ["private", ["ropes hold the ship", "the doctor"]],
    ["public", ["the doctor", "a quiet shore"]],
  ])(
    "of a client that shares samples with the %s set is refused before it trains, with their number",
    async (name, lines) => {
      const spec = withValidation("ships", lines);
      for (const work of [
        (run: StageRun) => clientTrain(run.deps)({ run: "tiny", round: 1, party: "ships" }),
        (run: StageRun) => runBaseline(run.deps)({ run: "tiny", party: "ships", baseline: "standalone+public" }),
      ]) {
        const run = stageRun();
        await plan(run, spec);
        await expect(work(run)).rejects.toMatchObject({
          code: "VALIDATION_OVERLAPS",
          message: expect.stringMatching(new RegExp(`^client ships: validation: .* 1 of 2 are in the ${name} set`)),
        });
        expect(run.progress.some(({ phase }) => phase === "training")).toBe(false);
      }
    },
  );

  it("without any sample is refused", async () => {
    await expect(plan(stageRun(), withValidation("server", []))).rejects.toMatchObject({ name: "InvalidInputError" });
  });

  it("must stay what it was in the first round, a client's and the server's", async () => {
    for (const party of ["ships", "server"] as const) {
      const spec = withValidation(party, ["the doctor"]);
      const run = stageRun();
      const after = async (round: number) => {
        if (round === 1) withValidation(party, ["the crew"]);
      };
      await expect(runStages(run, { ...spec, baselines: [], evaluation: [] }, after)).rejects.toMatchObject({
        code: "DATASET_CHANGED",
        message: expect.stringMatching(
          party === "server" ? /^server: validation: .* round 1/ : /^client ships: validation: .* round 1/,
        ),
      });
    }
  });
});
