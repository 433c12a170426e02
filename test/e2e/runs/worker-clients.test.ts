import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { Compute } from "../../../shared/src/contracts/compute.ts";
import { runState } from "../../../shared/src/contracts/run-state.ts";
import { fedmkt, killedAfter } from "../../support/cli-process.ts";
import { runHashes } from "../../support/run-hashes.ts";
import { specYaml, type TinySpec, writeTinyFederation } from "../../support/tiny-federation.ts";

/** The same federation, once in the coordinator's cluster and once with its clients' own workers. */
describe("fedmkt run --local of clients with workers of their own", () => {
  let folder: string;
  let spec: TinySpec;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "worker-clients-"));
    // what a site holds out does not leave it, so nobody else is scored on it
    spec = { ...writeTinyFederation(folder), rounds: 1, baselines: ["standalone"], simulation: false };
    for (const compute of ["ecs", "worker"] as const)
      writeFileSync(join(folder, `${compute}.yaml`), specYaml(withClients(compute)));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const withClients = (compute: Compute): TinySpec => ({
    ...spec,
    clients: spec.clients.map((client) => ({ ...client, compute })),
  });
  const command = (compute: Compute, out: string) => [
    "run",
    "--local",
    join(folder, `${compute}.yaml`),
    "--out",
    join(folder, out),
  ];
  const run = (compute: Compute, out: string) => fedmkt(...command(compute, out));
  const hashes = (out: string) =>
    runHashes(
      join(folder, out),
      runState.parse(JSON.parse(readFileSync(join(folder, out, "run.json"), "utf8"))).specHash,
    );
  const logs = (out: string) => readdirSync(join(folder, out, "logs")).sort();

  it("makes the same adapters, shards, manifests, summary and report to the byte, each client's in one worker", async () => {
    const [inCluster, atSites] = [await run("ecs", "cluster"), await run("worker", "sites")];
    expect([inCluster.exitCode, atSites.exitCode, atSites.stderr]).toEqual([0, 0, atSites.stderr]);
    const [one, two] = [hashes("cluster"), hashes("sites")];
    const made = Object.keys(one);
    for (const kind of [
      /adapters\/.*adapter_model\.safetensors$/,
      /manifest\.json/,
      /^summary\.json$/,
      /^report\.html$/,
    ])
      expect(made.filter((path) => kind.test(path)).length).toBeGreaterThan(0);
    expect(two).toEqual(one);
    expect(logs("cluster").filter((name) => name.startsWith("worker-"))).toEqual([]);
    expect(logs("sites").filter((name) => /^(worker-|Client)/.test(name))).toEqual([
      "worker-ships-1.log",
      "worker-wards-1.log",
    ]);
    const log = readFileSync(join(folder, "sites/logs/worker-ships-1.log"), "utf8");
    for (const stage of ["run-baseline", "client-train", "client-distil", "evaluate"]) expect(log).toContain(stage);
    expect(log).not.toContain("wards");
  }, 180_000);

  it("goes on after it was killed, and ends in the same bytes", async () => {
    expect(await killedAfter("client-distil: started", ...command("worker", "killed"))).toBe("SIGKILL");
    expect((await run("worker", "killed")).exitCode).toBe(0);
    expect(hashes("killed")).toEqual(hashes("cluster"));
  }, 120_000);
});
