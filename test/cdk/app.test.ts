import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";

const root = path.resolve(import.meta.dirname, "../..");
const SITE = `import { synthesizeSite } from "./cdk/lib/synthesize.ts";
synthesizeSite({ outdir: process.env.CDK_OUTDIR, validate: true });`;
let folder: string;
let site: string;
let assembly: { missing?: unknown; artifacts: Record<string, { type: string; environment?: string }> };

/** Synthesizes in a process of its own, which has the CDK loaded sooner than Jest has. */
const synthesized = (outdir: string, program: string[], env: Record<string, string>) =>
  promisify(execFile)(process.execPath, program, {
    cwd: root,
    env: { PATH: process.env.PATH, CDK_OUTDIR: outdir, ...env },
  });

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "fedmkt-cdk-"));
  site = mkdtempSync(path.join(tmpdir(), "fedmkt-cdk-site-"));
  const { app } = JSON.parse(readFileSync(path.join(root, "cdk.json"), "utf8"));
  expect(app).toBe("node cdk/bin/app.ts");
  await Promise.all([
    // as the CDK CLI starts it: with its version, and without any credentials or region
    synthesized(folder, ["cdk/bin/app.ts"], {
      CDK_CLI_VERSION: "2.1148.1",
      CDK_CONTEXT_JSON: JSON.stringify({ clients: "harbour,forest", clientTemplate: "true" }),
    }),
    synthesized(site, ["--input-type=module", "--eval", SITE], {}),
  ]);
  assembly = JSON.parse(readFileSync(path.join(folder, "manifest.json"), "utf8"));
});
afterAll(() => {
  for (const made of [folder, site]) rmSync(made, { recursive: true, force: true });
});

const STACKS = ["state", "pipeline", "client", "client-harbour", "client-forest"].map((name) => `fedmkt-dev-${name}`);

describe("the app", () => {
  it("consists of the state, the pipeline, a stack for each client that is named, and the template for any", () => {
    const stacks = Object.entries(assembly.artifacts).filter(([, { type }]) => type === "aws:cloudformation:stack");
    expect(stacks.map(([name]) => name).sort()).toEqual([...STACKS].sort());
  });

  it("passes CloudFormation's own rules", () => {
    for (const place of [folder, site]) {
      const report = JSON.parse(readFileSync(path.join(place, "validation-report.json"), "utf8"));
      const unexplained = (report.pluginReports as { violations: unknown[] }[]).flatMap(({ violations }) => violations);
      expect([place, unexplained]).toEqual([place, []]);
    }
  });

  it("needs no account, no region and no look-up", () => {
    expect(assembly.missing).toBeUndefined();
    const environments = Object.values(assembly.artifacts).flatMap(({ environment }) => environment ?? []);
    expect(new Set(environments)).toEqual(new Set(["aws://unknown-account/unknown-region"]));
  });

  it("names no path of the machine that synthesized it in its templates", () => {
    for (const stack of STACKS)
      expect(readFileSync(path.join(folder, `${stack}.template.json`), "utf8")).not.toContain(root);
  });
});
