import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { type RunSummary, runSummary } from "../../../shared/src/contracts/summary.ts";
import { scoreRows } from "../../../shared/src/report/table.ts";
import { type CliResult, fedmkt } from "../../support/cli-process.ts";

const SPEC = fileURLToPath(new URL("../../../examples/quickstart/run.yaml", import.meta.url));

/** What `npm start` does, in a folder of its own. */
describe("the quickstart", () => {
  let folder: string;
  let result: CliResult;
  let summary: RunSummary;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "quickstart-"));
    result = await fedmkt("run", "--local", SPEC, "--out", join(folder, "run"));
    summary = runSummary.parse(JSON.parse(readFileSync(join(folder, "run/summary.json"), "utf8")));
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("succeeds, and says where report and adapters are, how long it took and how much memory", () => {
    expect(result.exitCode).toBe(0);
    for (const words of ["report.html", "adapters/server", "adapters/ward", "Time:", "Memory:", "Exchanged in all"])
      expect(result.stdout).toContain(words);
  });

  it("tells each round, phase and party as it goes", () => {
    for (const line of [
      "ward, baseline standalone+public: started",
      "round 1/2, harbour, client-train: done",
      "round 2/2, server, server-distil: started",
    ])
      expect(result.stdout + result.stderr).toContain(line);
  });

  it("scores four parties on three domains, before, under each baseline, and after", () => {
    const rows = scoreRows(summary);
    expect(rows).toHaveLength(12);
    for (const { party, cells } of rows)
      expect(cells.filter((cell) => cell !== null)).toHaveLength(party === "server" ? 3 : 4);
  });

  it("shows the point: on domains that only others hold, parties end better than labels alone make them", () => {
    const foreign = scoreRows(summary).filter((row) => row.foreign);
    expect(foreign).toHaveLength(9);
    const gains = foreign.map(({ gain }) => gain!);
    expect(gains.filter((gain) => gain > 0).length).toBeGreaterThanOrEqual(7);
    expect(gains.reduce((sum, gain) => sum + gain, 0) / gains.length).toBeGreaterThan(0.005);
  });
});
