import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { runSummary } from "../../../shared/src/contracts/summary.ts";
import { fedmkt } from "../../support/cli-process.ts";
import { specYaml, writeTinyFederation } from "../../support/tiny-federation.ts";
import { withGate, withHarm } from "../../support/validation-sets.ts";

describe("fedmkt run --local of a spec with a gate, λ by party and a mean over all answers", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "gate-run-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("undoes the rounds that make a party worse, and says so in summary and report", async () => {
    const gated = withHarm(folder, withGate(folder, writeTinyFederation(folder), 0.001), "ships");
    const spec = {
      ...gated,
      server: { ...gated.server, lambda: 0.2 },
      distillation: { ...gated.distillation, finalLambda: 0.1, knowledgeMean: "all" as const },
      baselines: ["standalone" as const],
    };
    const file = join(folder, "run.yaml");
    const out = join(folder, "out");
    writeFileSync(file, specYaml(spec));
    const { exitCode, stdout } = await fedmkt("run", "--local", file, "--out", out, "--json");
    expect([exitCode, JSON.parse(stdout)]).toMatchObject([0, { ok: true, data: { status: "SUCCEEDED" } }]);
    const summary = runSummary.parse(JSON.parse(readFileSync(join(out, "summary.json"), "utf8")));
    expect(summary.distillation).toMatchObject({ finalLambda: 0.1, knowledgeMean: "all" });
    expect(summary.gates.map(({ round, party }) => `${round} ${party}`)).toEqual(
      [1, 2].flatMap((round) => ["server", "ships", "wards"].map((party) => `${round} ${party}`)),
    );
    for (const { party, before, after, undone } of summary.gates) {
      expect(undone).toBe(after! > before + 0.001);
      if (party === "ships") expect(undone).toBe(true);
    }
    const value = (variant: string) =>
      summary.scores.find((one) => one.party === "ships" && one.set === "wards" && one.variant === variant)!.value;
    // undone to the last: as it came, and so is what it is compared with
    expect(value("fedmkt")).toBe(value("zero-shot"));
    expect(value("standalone")).toBe(value("zero-shot"));
    expect(readFileSync(join(out, "report.html"), "utf8")).toContain(", undone</td>");
  }, 120_000);
});
