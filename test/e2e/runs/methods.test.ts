import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { METHODS } from "../../../shared/src/contracts/methods.ts";
import { runSummary } from "../../../shared/src/contracts/summary.ts";
import { fedmkt } from "../../support/cli-process.ts";
import { specYaml, type TinySpec, writeTinyFederation } from "../../support/tiny-federation.ts";

/** The modes as a user chooses them, through command line, machines, functions and workers. */
describe("fedmkt run --local under another method", () => {
  let folder: string;
  let spec: TinySpec;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "method-run-"));
    spec = { ...writeTinyFederation(folder), baselines: [], evaluation: [] };
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ["paper", {}],
    ["fate", { distill_strategy: "weighted_mean", token_align_strategy: "greedy_dp" }],
  ] as const)(
    "succeeds, transfers something and says by which row: %s",
    async (method, fateNames) => {
      const file = join(folder, `${method}.yaml`);
      writeFileSync(file, specYaml({ ...spec, name: method, method, ...fateNames } as TinySpec));
      const out = join(folder, method);
      const { exitCode, stdout } = await fedmkt("run", "--local", file, "--out", out, "--json");
      expect([exitCode, JSON.parse(stdout)]).toMatchObject([0, { ok: true, data: { status: "SUCCEEDED", method } }]);
      const summary = runSummary.parse(JSON.parse(readFileSync(join(out, "summary.json"), "utf8")));
      expect(summary.distillation).toMatchObject(
        method === "paper" ? METHODS.paper : { ...METHODS.fate, selection: "weighted-mean", alignment: "greedy-dp" },
      );
      expect(summary.selections.some(({ none, samples }) => none < samples)).toBe(true);
      expect(summary.transfers.every(({ alignedShare, keptMass }) => alignedShare > 0 && keptMass > 0)).toBe(true);
      expect(readFileSync(join(out, "report.html"), "utf8")).toContain(`method ${method} (alignment`);
    },
    120_000,
  );
});
