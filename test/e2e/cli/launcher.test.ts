import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "@jest/globals";
import { remove } from "../../support/cli.ts";

const LAUNCHER = fileURLToPath(new URL("../../../cli/bin/fedmkt.mjs", import.meta.url));
/** A system's own Node, where there is one: on the machines of CI it is Node 20. */
const SYSTEM_NODE = "/usr/bin/node";

function majorOf(node: string): number {
  return Number(/^v(\d+)/.exec(spawnSync(node, ["--version"], { encoding: "utf8" }).stdout ?? "")?.[1] ?? 0);
}

const systemMajor = majorOf(SYSTEM_NODE);
const itUnderOldNode = systemMajor >= 20 && systemMajor < 24 ? it : it.skip;
const nodes = [process.execPath, ...(systemMajor >= 20 && systemMajor < 24 ? [SYSTEM_NODE] : [])];

describe("the launcher", () => {
  it.each(nodes)("answers under %s, passing arguments, output and exit code through", (node) => {
    const help = spawnSync(node, [LAUNCHER, "--help"], { encoding: "utf8" });
    expect([help.status, help.stderr]).toEqual([0, ""]);
    expect(help.stdout).toContain("validate");
    const bad = spawnSync(node, [LAUNCHER, "validate", "no such file.yaml", "--json"], { encoding: "utf8" });
    expect([bad.status, bad.stderr]).toEqual([2, ""]);
    expect(JSON.parse(bad.stdout).error.message).toContain("no such file.yaml");
  });

  it("ends quietly when nobody reads what it says", () => {
    const line = `"${process.execPath}" "${LAUNCHER}" --help | true; "${process.execPath}" "${LAUNCHER}" nonsense 2>&1 | true`;
    const { status, stderr } = spawnSync("sh", ["-c", line], { encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
  });

  itUnderOldNode("says what is missing where an older Node finds no newer one", () => {
    const folder = mkdtempSync(join(tmpdir(), "fedmkt-launcher-"));
    mkdirSync(join(folder, "bin"));
    copyFileSync(LAUNCHER, join(folder, "bin/fedmkt.mjs"));
    const { status, stderr } = spawnSync(SYSTEM_NODE, [join(folder, "bin/fedmkt.mjs"), "doctor"], { encoding: "utf8" });
    expect(status).toBe(1);
    expect(stderr).toContain("fedmkt needs Node 24 or later; this is 20");
    remove(folder);
  });

  itUnderOldNode("hands signals to the program and ends as it ends", async () => {
    const folder = mkdtempSync(join(tmpdir(), "fedmkt-launcher-"));
    mkdirSync(join(folder, "bin"));
    mkdirSync(join(folder, "src"));
    mkdirSync(join(folder, "node_modules/node/bin"), { recursive: true });
    copyFileSync(LAUNCHER, join(folder, "bin/fedmkt.mjs"));
    writeFileSync(join(folder, "node_modules/node/package.json"), "{}");
    symlinkSync(process.execPath, join(folder, "node_modules/node/bin/node"));
    writeFileSync(join(folder, "src/cache-folder.ts"), "export const cacheFolder = () => import.meta.dirname;");
    writeFileSync(
      join(folder, "src/main.ts"),
      'export async function main() { process.on("SIGTERM", () => process.exit(7)); console.log("ready"); setInterval(() => {}, 1000); }',
    );
    const child = spawn(SYSTEM_NODE, [join(folder, "bin/fedmkt.mjs")], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill("SIGTERM");
    expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(7);
    remove(folder);
  });
});
