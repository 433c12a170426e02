import { execFile, execFileSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { stringify } from "yaml";
import { PROGRAMS } from "../../../scripts/package-cli.ts";
import { serveInProcess } from "../../support/serving/served-process.ts";
import { writeTinyFederation } from "../../support/tiny-federation.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const MEGABYTE = 1024 ** 2;
const site = mkdtempSync(join(tmpdir(), "fedmkt-site-"));
let packed = "";

const npm = (folder: string, ...args: string[]) =>
  execFileSync("npm", [...args, "--no-audit", "--no-fund", "--no-update-notifier"], {
    cwd: folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_OPTIONS: "", ONNXRUNTIME_NODE_INSTALL: "skip" },
  });

const program = () => join(site, "node_modules/.bin/fedmkt");

function environment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, INIT_CWD: __, ...rest } = process.env;
  const places = (rest.PATH ?? "").split(delimiter).filter((place) => !place.includes("node_modules"));
  return { ...rest, PATH: places.join(delimiter), XDG_CACHE_HOME: join(site, "cache") };
}

/** What a site's own terminal does: `npx fedmkt …` in its folder, with the system's Node and nothing of the checkout. */
function fedmkt(...args: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  return new Promise((done) =>
    execFile(
      program(),
      args,
      { cwd: site, encoding: "utf8", maxBuffer: 1 << 26, env: environment() },
      (error, stdout, stderr) => done({ exitCode: error === null ? 0 : Number(error.code), stdout, stderr }),
    ),
  );
}

beforeAll(() => {
  const [{ filename }] = JSON.parse(npm(ROOT, "pack", "--workspace", "fedmkt", "--json", "--pack-destination", site));
  packed = filename;
  npm(site, "init", "-y");
  npm(site, "install", `./${packed}`);
}, 180_000);
afterAll(() => rmSync(site, { recursive: true, force: true }));

describe("the package that npm pack makes of the command line", () => {
  it("is one small file with programs, the synthesized machines and the stacks of clients and sites, and no TypeScript", () => {
    expect(packed).toMatch(/^fedmkt-\d+\.\d+\.\d+\.tgz$/);
    expect(statSync(join(site, packed)).size).toBeLessThan(3 * MEGABYTE);
    const folder = join(site, "node_modules/fedmkt");
    expect(globSync("**/*.ts", { cwd: folder })).toEqual([]);
    for (const program of Object.keys(PROGRAMS)) expect(existsSync(join(folder, `dist/${program}.js`))).toBe(true);
    expect(existsSync(join(folder, "dist/assembly/manifest.json"))).toBe(true);
    expect(globSync("dist/assembly/*-{client,site}.template.json", { cwd: folder })).toHaveLength(4);
  });

  it("says nothing of the machine that made it", () => {
    const folder = join(site, "node_modules/fedmkt");
    const texts = globSync("**/*.{js,mjs,json}", { cwd: folder }).map((file) =>
      readFileSync(join(folder, file), "utf8"),
    );
    expect(texts.length).toBeGreaterThan(10);
    for (const text of texts) expect(text.includes(ROOT)).toBe(false);
  });

  it("asks for few packages, each in one version", () => {
    const { dependencies } = JSON.parse(readFileSync(join(site, "node_modules/fedmkt/package.json"), "utf8"));
    expect(Object.keys(dependencies)).toEqual(["aws-local-stepfunctions", "fauxqs", "node", "onnxruntime-node"]);
    for (const version of Object.values(dependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(readdirSync(join(site, "node_modules"))).not.toContain("aws-cdk-lib");
  });

  it("tells its version, and runs on Node 24 whichever one the system has: it brings its own", async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, "cli/package.json"), "utf8"));
    expect(await fedmkt("--version")).toMatchObject({ exitCode: 0, stdout: `fedmkt ${version}\n` });
    const { data } = JSON.parse((await fedmkt("--version", "--json")).stdout);
    expect(Number(data.node.split(".")[0])).toBeGreaterThanOrEqual(24);
    for (const command of ["run", "validate", "plan", "inspect", "worker", "serve", "keys"])
      expect(await fedmkt(command, "--help")).toMatchObject({ exitCode: 0 });
  });

  it("finds the machine fit", async () => {
    const { exitCode, stdout } = await fedmkt("doctor", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ ok: true });
    expect(exitCode).toBe(0);
  });

  it("checks a spec, says what is wrong with one, and runs a federation to its end", async () => {
    const spec = writeTinyFederation(join(site, "federation"));
    writeFileSync(join(site, "run.yaml"), stringify(spec));
    expect(await fedmkt("validate", "run.yaml")).toMatchObject({ exitCode: 0 });
    writeFileSync(join(site, "wrong.yaml"), stringify({ ...spec, rounds: "many" }));
    expect(await fedmkt("validate", "wrong.yaml")).toMatchObject({ exitCode: 2 });
    const run = await fedmkt("run", "--local", "run.yaml", "--json");
    expect(JSON.parse(run.stdout)).toMatchObject({ ok: true, data: { run: spec.name, status: "SUCCEEDED" } });
    expect(existsSync(join(site, "runs", spec.name, "report.html"))).toBe(true);
    expect(existsSync(join(site, "runs", spec.name, "adapters/server/adapter_model.safetensors"))).toBe(true);
  }, 120_000);

  it("serves what came out, and ends when it is told to", async () => {
    const model = join(site, "federation/models/ships");
    const small = ["--port", "0", "--metrics-port", "0", "--threads", "1"];
    const words = ["--model", model, "--registry", "runs", ...small];
    const { serving, ask, child, ended } = await serveInProcess([program()], words, { cwd: site, env: environment() });
    expect(serving).toMatchObject({ model: { id: "ships:base" }, adapters: ["ships"] });
    const asked = { model: "ships", prompt: "the ship", max_tokens: 4 };
    expect(await (await ask("/v1/completions", asked, serving.key!)).json()).toMatchObject({
      ...{ object: "text_completion", usage: { completion_tokens: expect.any(Number) } },
    });
    child.kill("SIGTERM");
    expect((await ended).exitCode).toBe(0);
  }, 120_000);
});
