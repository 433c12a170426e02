import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { startGuarded } from "../../support/emulators/guarded-process.ts";

const GUARDED = fileURLToPath(new URL("../../support/emulators/guarded-process.ts", import.meta.url));

/** Starts a process of its own, writes both ids, and would go on for ever; it does not listen to SIGTERM. */
const FAMILY = `
import { spawn } from "node:child_process";
process.on("SIGTERM", () => {});
const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
console.log([process.pid, child.pid].join(" "));
setInterval(() => {}, 1000);
`;

describe("a guarded process", () => {
  let folder: string;
  let log: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "guarded-"));
    log = join(folder, "log");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("ends with all that it started when it is stopped", async () => {
    const guarded = startGuarded(process.execPath, ["--input-type=module", "-e", FAMILY], { environment: {}, log });
    const family = await idsIn(log);
    await guarded.stop();
    expect(guarded.isRunning()).toBe(false);
    await expectGone(family);
  }, 30_000);

  it("ends with all that it started when whoever started it was killed", async () => {
    const starter = `
import { startGuarded } from ${JSON.stringify(GUARDED)};
startGuarded(process.execPath, ["--input-type=module", "-e", ${JSON.stringify(FAMILY)}], ${JSON.stringify({ environment: {}, log })});
`;
    const parent = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", starter], {
      stdio: "ignore",
    });
    const family = await idsIn(log);
    parent.kill("SIGKILL");
    await expectGone(family);
  }, 30_000);
});

async function idsIn(log: string): Promise<number[]> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const text = readIfThere(log);
    if (text.endsWith("\n")) return text.trim().split(" ").map(Number);
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

async function expectGone(ids: readonly number[]): Promise<void> {
  const end = Date.now() + 15_000;
  while (ids.some(lives) && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 100));
  expect(ids.filter(lives)).toEqual([]);
}

function lives(id: number): boolean {
  try {
    process.kill(id, 0);
    return !/^State:\s+Z/m.test(readIfThere(`/proc/${id}/status`));
  } catch {
    return false;
  }
}
