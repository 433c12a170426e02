import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { encodeJson } from "../../../shared/src/contracts/json-document.ts";
import { artefactKeys, controlKeys, registryKeys } from "../../../shared/src/contracts/keys.ts";
import { registryEntry } from "../../../shared/src/contracts/registry-entry.ts";
import { runStatus } from "../../../shared/src/contracts/run-status.ts";
import { runSummary } from "../../../shared/src/contracts/summary.ts";
import type { Usage } from "../../../shared/src/contracts/usage.ts";
import { hourlyDollars } from "../../../shared/src/core/cost/prices.ts";
import { sha256 } from "../../../shared/src/formats/sha256.ts";
import { closeRound } from "../../../shared/src/use-cases/close-round.ts";
import { readOutput } from "../../../shared/src/use-cases/job-outputs.ts";
import { loadPlan } from "../../../shared/src/use-cases/load-plan.ts";
import { publishRun } from "../../../shared/src/use-cases/publish-run.ts";
import { readJson } from "../../../shared/src/use-cases/read-json.ts";
import { recordUsage } from "../../../shared/src/use-cases/record-usage.ts";
import { runDollars } from "../../../shared/src/use-cases/run-cost.ts";
import { EXECUTION } from "../../support/execution-arn.ts";
import { type StageRun, stageRun } from "../../support/run-stages.ts";
import { plan, runStages } from "../../support/stage-order.ts";
import { type TinySpec, writeTinyFederation } from "../../support/tiny-federation.ts";

const MACHINE = "g5.xlarge";
const HOUR = 3600;
const PARTIES = ["server", "ships", "wards"];

let folder: string;
let spec: TinySpec;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "stopping-"));
  spec = { ...writeTinyFederation(folder), baselines: [] };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const used = (party: string, more: Partial<Usage> = {}) => ({
  run: "tiny",
  round: 1,
  stage: "client-train",
  party,
  seconds: HOUR,
  instanceType: MACHINE,
  spot: false,
  ...more,
});
const wish = (run: StageRun) => run.objects.put("control", controlKeys.stop("tiny"), new Uint8Array());
const summary = (run: StageRun) =>
  readJson(run.objects, "artefacts", `${artefactKeys.published("tiny")}/summary.json`, runSummary);
const report = async ({ objects }: StageRun) =>
  new TextDecoder().decode(await objects.get("artefacts", `${artefactKeys.published("tiny")}/report.html`, 1e7));

describe("a run that is to end after the round under way", () => {
  let run: StageRun;
  beforeAll(async () => {
    run = stageRun();
    await runStages(run, { ...spec, rounds: 3 }, async (round) => {
      if (round === 2) await wish(run);
    });
  });

  it("ends there and says why", async () => {
    expect((await summary(run)).stopped).toEqual({ afterRound: 2, reason: "request" });
    expect(await run.objects.head("artefacts", artefactKeys.roundSummary("tiny", 3))).toBeNull();
    expect(await readJson(run.objects, "control", controlKeys.status("tiny"), runStatus)).toEqual({
      run: "tiny",
      status: "SUCCEEDED",
      execution: EXECUTION,
    });
  });

  it("tells of it in its report", async () => {
    expect(await report(run)).toContain("ended after round 2 of 3, since it was asked to");
  });

  it.each(PARTIES)("publishes what the last closed round made of %s's adapter", async (party) => {
    const stage = party === "server" ? "server-distil" : "client-distil";
    const made = await readOutput(run.deps, artefactKeys.job("tiny", 2, stage, party), "adapter.safetensors");
    const folderOf = `${artefactKeys.published("tiny")}/adapters/${party}`;
    expect(sha256(await run.objects.get("artefacts", `${folderOf}/adapter_model.safetensors`, 1e7))).toBe(sha256(made));
    const readme = new TextDecoder().decode(await run.objects.get("artefacts", `${folderOf}/README.md`, 1e5));
    expect(readme).toContain("for 2 rounds");
  });

  it("ends there again when its rounds are closed again, and not before", async () => {
    for (const [round, done] of [
      [1, false],
      [2, true],
    ] as const)
      expect(await closeRound(run.deps)({ run: "tiny", round })).toMatchObject({ done });
  });

  it("is a whole run where it was the last round anyway", async () => {
    const whole = stageRun();
    await runStages(whole, { ...spec, rounds: 1 }, () => wish(whole));
    expect((await summary(whole)).stopped).toBeNull();
    expect(await report(whole)).not.toContain("since it was asked to");
  });
});

describe("a run with a budget", () => {
  const budget = (dollars: number) => ({ ...spec, rounds: 3, budget: { dollars } });

  it("ends after the round in which its workers have used it up", async () => {
    const run = stageRun();
    const price = hourlyDollars(MACHINE, false);
    await runStages(run, budget(3.5 * price), (round) =>
      Promise.all(
        [1, 2].map((attempt) => recordUsage(run.deps, `${round}-${attempt}`, used("server", { round }))),
      ).then(),
    );
    expect((await summary(run)).stopped).toEqual({ afterRound: 2, reason: "budget" });
    expect(await report(run)).toContain("ended after round 2 of 3, since its budget was used up");
    expect((await closeRound(run.deps)({ run: "tiny", round: 2 })).dollars).toBeCloseTo(4 * price, 9);
  });

  it("that is not used up runs to its end", async () => {
    const run = stageRun();
    await runStages(run, budget(1000), (round) => recordUsage(run.deps, `${round}`, used("ships", { round })));
    expect((await summary(run)).stopped).toBeNull();
  });

  it("refuses a machine whose price nobody knows, rather than to spend without counting", async () => {
    const run = stageRun();
    await expect(
      runStages(run, budget(5), () => recordUsage(run.deps, "a", used("ships", { instanceType: "x1.none" }))),
    ).rejects.toMatchObject({ code: "PRICE_UNKNOWN" });
  });
});

describe("what a run has cost", () => {
  async function dollarsOf(given: TinySpec, ...usages: ReturnType<typeof used>[]): Promise<number> {
    const run = stageRun();
    await plan(run, given);
    for (const [index, one] of usages.entries()) await recordUsage(run.deps, `attempt-${index}`, one);
    return runDollars(run.deps, await loadPlan(run.deps, "tiny"));
  }

  it("is nothing before anybody has worked", async () => {
    expect(await dollarsOf(spec)).toBe(0);
  });

  it("is the time of every attempt by its machine's price, on spot by the spot price", async () => {
    const dollars = await dollarsOf(
      spec,
      used("server"),
      used("ships", { seconds: HOUR / 2 }),
      used("ships", { seconds: HOUR / 4, spot: true }),
    );
    expect(dollars).toBeCloseTo(1.5 * hourlyDollars(MACHINE, false) + 0.25 * hourlyDollars(MACHINE, true), 9);
  });

  it("counts many attempts once each", async () => {
    const usages = Array.from({ length: 40 }, (_, round) => used(PARTIES[round % 3], { round, seconds: 36 }));
    expect(await dollarsOf(spec, ...usages)).toBeCloseTo(0.4 * hourlyDollars(MACHINE, false), 9);
  });

  it("leaves out machines that are nobody's to pay, and without a budget those without a price", async () => {
    expect(
      await dollarsOf(spec, used("ships", { instanceType: null }), used("ships", { instanceType: "x1.none" })),
    ).toBe(0);
  });

  it("does not ask a site's own worker what it cost", async () => {
    const [ships, wards] = spec.clients;
    const given: TinySpec = { ...spec, simulation: false, clients: [ships, { ...wards, compute: "worker" }] };
    expect(await dollarsOf(given, used("wards", { seconds: 1e9 }), used("ships"))).toBeCloseTo(
      hourlyDollars(MACHINE, false),
      9,
    );
  });

  it("does not count another run's workers", async () => {
    expect(await dollarsOf(spec, used("ships", { run: "tiny-2" }))).toBe(0);
  });
});

describe("the registry", () => {
  it("has an entry of each adapter, whose files are those that were published", async () => {
    const run = stageRun();
    await runStages(run, { ...spec, rounds: 1 });
    const { specHash, scores } = await summary(run);
    for (const party of PARTIES) {
      const entry = await readJson(run.objects, "registry", registryKeys.entry(party, "tiny"), registryEntry);
      const { tokenizerHash, configHash, weightsFingerprint } = (await loadPlan(run.deps, "tiny")).parties.find(
        ({ id }) => id === party,
      )!;
      expect(entry).toMatchObject({ party, run: "tiny", rounds: 1, specHash, adapter: { bucket: "artefacts" } });
      expect(entry.base).toEqual({ name: party, configHash, tokenizerHash, weightsFingerprint });
      expect(entry.scores).toEqual(scores.filter((one) => one.party === party && one.variant === "fedmkt"));
      expect(entry.scores).toHaveLength(2);
      expect(entry.adapter.files.map(({ name }) => name)).toEqual([
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
      ]);
      for (const { name, bytes, sha256: hash } of entry.adapter.files) {
        const published = await run.objects.get("artefacts", `${entry.adapter.folder}/${name}`, 1e7);
        expect([published.length, sha256(published)]).toEqual([bytes, hash]);
      }
    }
  });

  it("says when each adapter was registered first, however often the run is published", async () => {
    const run = stageRun();
    await runStages(run, { ...spec, rounds: 1 });
    const key = registryKeys.entry("ships", "tiny");
    const entryBytes = () => run.objects.get("registry", key, 1e6);
    const registered = await entryBytes();
    const { publishedAt } = registryEntry.parse(JSON.parse(new TextDecoder().decode(registered)));
    expect(publishedAt).toMatch(/^2026-01-01T00:00:0\d\.000Z$/);

    await publishRun(run.deps)({ run: "tiny" });
    expect(await entryBytes()).toEqual(registered);

    // what is not this adapter's entry is written anew, with the time of the new one
    await run.objects.put("registry", key, new TextEncoder().encode("{"));
    await publishRun(run.deps)({ run: "tiny" });
    const again = await readJson(run.objects, "registry", key, registryEntry);
    expect(again.publishedAt! > publishedAt!).toBe(true);
    expect({ ...again, publishedAt }).toEqual(JSON.parse(new TextDecoder().decode(registered)));
  });

  it("leaves the entry that an older program has written as it is: it says no time, and is older than all that do", async () => {
    const run = stageRun();
    await runStages(run, { ...spec, rounds: 1 });
    const key = registryKeys.entry("ships", "tiny");
    const { publishedAt: _, ...older } = await readJson(run.objects, "registry", key, registryEntry);
    await run.objects.put("registry", key, encodeJson(older));
    await publishRun(run.deps)({ run: "tiny" });
    expect(await readJson(run.objects, "registry", key, registryEntry)).toEqual(older);
  });
});
