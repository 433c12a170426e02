import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { bundleFunctions, functionNames } from "../../cdk/lib/constructs/function-bundle.ts";

const MEBIBYTE = 1024 * 1024;
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "fedmkt-bundle-"));
  bundleFunctions(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const files = () => readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".mjs"));

describe("the functions' bundle", () => {
  it("has one module a function, and what they share once", () => {
    expect(
      files()
        .filter((name) => !name.startsWith("chunks/"))
        .sort(),
    ).toEqual(functionNames().map((name) => `${name}.mjs`));
    expect(files().reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0)).toBeLessThan(5 * MEBIBYTE);
  });

  it("leaves the engine and its runtime to the workers", () => {
    for (const name of files()) expect(readFileSync(path.join(folder, name), "utf8")).not.toMatch(/onnxruntime/);
  });

  it("loads in a bare Node, each function with its handler", () => {
    const script = `
      for (const name of ${JSON.stringify(functionNames())}) {
        const { handler } = await import(${JSON.stringify(`${folder}/`)} + name + ".mjs");
        if (typeof handler !== "function") throw new Error(name);
      }`;
    execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
      env: {
        FEDMKT_CONTROL_BUCKET: "control",
        FEDMKT_ARTEFACT_BUCKET: "artefacts",
        FEDMKT_REGISTRY_BUCKET: "registry",
        FEDMKT_CLUSTER: "workers",
        AWS_REGION: "us-east-1",
      },
      stdio: "pipe",
    });
  });

  it("refuses to start a function without its environment, naming the variables", () => {
    const load = () =>
      execFileSync(process.execPath, [path.join(folder, "plan-run.mjs")], {
        env: { AWS_REGION: "us-east-1" },
        stdio: "pipe",
      });
    expect(load).toThrow(/InvalidInputError: environment: FEDMKT_CONTROL_BUCKET: .*FEDMKT_ARTEFACT_BUCKET: /);
  });
});
