import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { runSummary } from "../../../shared/src/contracts/summary.ts";
import { fedmkt, killedAfter } from "../../support/cli-process.ts";
import { runHashes } from "../../support/run-hashes.ts";
import { specYaml, type TinySpec, writeTinyFederation } from "../../support/tiny-federation.ts";

/** The whole thing as a user starts it: command line, synthesized machines, local S3 and SQS, functions, worker processes. */
describe("fedmkt run --local", () => {
  let folder: string;
  let spec: TinySpec;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "local-run-"));
    spec = writeTinyFederation(folder);
    spec.baselines = [];
    writeFileSync(join(folder, "run.yaml"), specYaml(spec));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (out: string, ...more: string[]) =>
    fedmkt("run", "--local", join(folder, "run.yaml"), "--out", join(folder, out), ...more);

  const hashes = (out: string) => runHashes(join(folder, out));

  it("trains, transfers and publishes", async () => {
    const first = await run("first", "--json");
    expect(first.exitCode).toBe(0);
    expect(JSON.parse(first.stdout)).toMatchObject({ ok: true });
    for (const party of ["server", "ships", "wards"])
      for (const file of ["adapter_model.safetensors", "adapter_config.json", "README.md"])
        expect(existsSync(join(folder, "first/adapters", party, file))).toBe(true);
    const summary = runSummary.parse(JSON.parse(readFileSync(join(folder, "first/summary.json"), "utf8")));
    expect(summary.selections).toHaveLength(6);
    const stored = Object.keys(hashes("first")).filter((path) => path.endsWith(".safetensors.data"));
    expect(stored.length).toBeGreaterThan(20);
  }, 180_000);

  it("does all of it again to the byte, and goes on after it was killed in between", async () => {
    const args = ["run", "--local", join(folder, "run.yaml"), "--out", join(folder, "killed")];
    expect(await killedAfter("server-distil: started", ...args)).toBe("SIGKILL");
    expect(existsSync(join(folder, "killed/summary.json"))).toBe(false);
    const resumed = await run("killed");
    expect(resumed.exitCode).toBe(0);
    expect(hashes("killed")).toEqual(hashes("first"));
  }, 120_000);

  it("prints the table of a finished run again without running anything", async () => {
    const again = await run("first");
    expect(again.exitCode).toBe(0);
    expect(again.stdout).toContain("Every party on every held-out set");
    expect(again.stdout).not.toContain("client-train");
  });

  it("shows a finished run's status", async () => {
    const status = await fedmkt("status", join(folder, "first"), "--json");
    expect(status.exitCode).toBe(0);
    expect(status.stdout).toContain('"standing":"succeeded"');
  });

  it("refuses another spec in the same folder, naming both hashes, and leaves the run as it was", async () => {
    const other = join(folder, "other.yaml");
    writeFileSync(other, specYaml({ ...spec, seed: 8 }));
    const before = hashes("first");
    const refused = await fedmkt("run", "--local", other, "--out", join(folder, "first"));
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr.match(/[0-9a-f]{64}/g)).toHaveLength(2);
    expect(hashes("first")).toEqual(before);
  });
});
