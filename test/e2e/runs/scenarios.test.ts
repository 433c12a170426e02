import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { type RunSummary, runSummary } from "../../../shared/src/contracts/summary.ts";
import { fedmkt, killedAfter } from "../../support/cli-process.ts";
import { runHashes } from "../../support/run-hashes.ts";
import { specYaml, type TinySpec, writeTinyFederation } from "../../support/tiny-federation.ts";

/** Clients that come and go, one of them at a site of its own, and every baseline that is a run of its own. */
describe("fedmkt run --local of a federation that changes, with its variants", () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "scenario-runs-"));
    const tiny = writeTinyFederation(folder);
    const [ships, wards] = tiny.clients;
    const spec: TinySpec = {
      ...tiny,
      rounds: 2,
      clients: [
        { ...ships, leavesAfterRound: 1 },
        { ...ships, id: "boats", private: wards.private },
        { ...ships, id: "rafts", joinsAtRound: 2 },
      ],
      evaluation: [{ name: "ships", data: ships.private }],
      baselines: ["fedavg", "fedavg+public", "one-way", "centralized", "no-distillation"],
    };
    writeFileSync(join(folder, "run.yaml"), specYaml(spec));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const command = (out: string) => ["run", "--local", join(folder, "run.yaml"), "--out", join(folder, "runs", out)];
  const hashes = (out: string) => runHashes(join(folder, "runs", out));
  const summaryOf = (out: string): RunSummary =>
    runSummary.parse(JSON.parse(readFileSync(join(folder, "runs", out, "summary.json"), "utf8")));

  it("ends well, with a row of scores for each variant and party in its rounds", async () => {
    const whole = await fedmkt(...command("whole"));
    expect([whole.exitCode, whole.stderr]).toEqual([0, whole.stderr]);
    const { scores, variants, adapters, stopped } = summaryOf("whole");
    expect(stopped).toBeNull();
    expect(variants).toEqual(
      ["fedavg", "fedavg+public", "one-way"].map((name) => ({ name, rounds: 2, stopped: null })),
    );
    const rounds = (variant: string) =>
      scores.filter((one) => one.variant === variant).map(({ party, round }) => `${party} ${round}`);
    const ofClients = ["ships 1", "boats 1", "boats 2", "rafts 2"];
    expect(rounds("fedmkt").sort()).toEqual([...ofClients, "server 1", "server 2"].sort());
    for (const variant of ["fedavg", "fedavg+public", "one-way"])
      expect([variant, rounds(variant).sort()]).toEqual([variant, [...ofClients].sort()]);
    expect(rounds("centralized")).toEqual(["server 2"]);
    expect(rounds("no-distillation").sort()).toEqual(["boats 2", "rafts 2", "server 2", "ships 1"]);
    expect(adapters).toHaveLength(4);
    for (const { party } of adapters)
      expect(existsSync(join(folder, "runs/whole/adapters", party, "adapter_model.safetensors"))).toBe(true);
    // whose job it was is told apart
    expect(whole.stderr).toContain("fedavg, round 1/2, boats, client-distil: done");
    expect(whole.stderr).toContain("one-way, round 2/2, rafts, client-train: done");
    expect(whole.stderr).toContain("\nround 2/2, rafts, client-train: done");
    expect(whole.stderr).not.toContain("one-way, round 1/2, boats, client-train");
  }, 300_000);

  it("goes on after it was killed within a variant, and ends in the same bytes", async () => {
    expect(await killedAfter("one-way, round 2/2, boats, client-train: started", ...command("killed"))).toBe("SIGKILL");
    expect(existsSync(join(folder, "runs/killed/summary.json"))).toBe(false);
    const resumed = await fedmkt(...command("killed"));
    expect(resumed.exitCode).toBe(0);
    expect(Object.keys(hashes("killed")).some((path) => path.includes("tiny--one-way/"))).toBe(true);
    expect(hashes("killed")).toEqual(hashes("whole"));
  }, 300_000);

  it("is one run to whoever lists runs, and holds its variants' jobs", async () => {
    const { stdout } = await fedmkt("inspect", join(folder, "runs/whole"), "--json");
    const names = (JSON.parse(stdout).data.items as { name: string }[]).map(({ name }) => name);
    expect(names).toContain("tiny--one-way/boats/round-2/client-distil/adapter");
    expect(names).toContain("tiny--fedavg/plan");
    expect(names).toContain("boats/round-2/client-distil/adapter");
    expect(readdirSync(join(folder, "runs")).sort()).toEqual(["killed", "whole"]);
    const status = await fedmkt("status", join(folder, "runs/whole"), "--json");
    expect(JSON.parse(status.stdout).data).toMatchObject({ run: "tiny", standing: "succeeded" });
  });
});
