import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { fedmkt } from "../../support/cli-process.ts";
import {
  failuresOf,
  type ServingProcess,
  startLoad,
  startServingProcess,
} from "../../support/serving/loaded-process.ts";
import { specYaml, type TinySpec, writeTinyFederation } from "../../support/tiny-federation.ts";

/** From the moment that a run has published, on a machine that trains, serves and asks at the same time. */
const TAKEN_UP_MS = 5_000;
/** Worse or not: here it matters which adapter is served, not how good it is. */
const ANY_LOSS = "1000";

/** What `npm run bench -- hot-adapters` does at length. */
describe("fedmkt serve with a registry that runs publish into", () => {
  let folder: string;
  let spec: TinySpec;
  let runs: string;
  let serving: ServingProcess;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "hot-adapters-"));
    runs = join(folder, "runs");
    mkdirSync(runs);
    const whole = writeTinyFederation(folder);
    spec = { ...whole, rounds: 1, baselines: [] };
    serving = await startServingProcess([
      ...["--model", spec.clients[0].model, "--name", "tiny", "--registry", runs, "--gate-tolerance", ANY_LOSS],
      ...["--queued", "64"],
    ]);
  }, 60_000);
  afterAll(async () => {
    await serving?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const run = async (name: string, seed: number) => {
    const file = join(folder, `${name}.yaml`);
    writeFileSync(file, specYaml({ ...spec, name, seed }));
    const { exitCode, stderr } = await fedmkt("run", "--local", file, "--out", join(runs, name));
    expect([exitCode, stderr]).toEqual([0, expect.any(String)]);
  };
  const entryOf = (name: string) => join(runs, name, "adapters/ships/registry-entry.json");

  it("serves what a run publishes within five seconds, under load, and what was before when that is deleted, and fails no request", async () => {
    expect((await serving.models()).map(({ id }) => id)).toEqual(["tiny"]);
    await run("first", 1);
    await serving.whenServed("ships", "first");
    // of the three parties only one has this model
    expect((await serving.models()).map(({ id }) => id)).toEqual(["tiny", "ships"]);

    const load = startLoad(serving, "ships", 2, 4);
    await run("second", 2);
    const servedMs = await serving.whenServed("ships", "second");
    const publishedMs = statSync(entryOf("second")).mtimeMs;
    expect(servedMs - publishedMs).toBeLessThan(TAKEN_UP_MS);

    const deletedMs = Date.now();
    rmSync(entryOf("second"));
    expect((await serving.whenServed("ships", "first")) - deletedMs).toBeLessThan(2 * TAKEN_UP_MS);
    const result = await load.stop();
    expect(failuresOf(result)).toBe(0);
    expect(result["2xx"]).toBeGreaterThan(100);
    expect(await serving.stop()).toBe(0);
    expect(serving.log()).not.toContain('"level":"ERROR"');
  }, 600_000);
});
