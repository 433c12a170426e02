import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Python } from "./python.ts";

const CACHE = fileURLToPath(new URL("../../../node_modules/.cache/emulators/", import.meta.url));
const MINUTES = 60_000;
const run = promisify(execFile);

export interface VirtualEnvironment {
  name: string;
  python: Python;
  /** a requirements file; every package with its version, so that nothing is resolved anew */
  requirements: string;
  /** the folder of a package of our own that is installed beside them */
  ownPackage?: string;
}

/**
 * A virtual environment with these packages, kept under node_modules/.cache under a name that all of them determine.
 * @returns the folder of its programs
 */
export async function virtualEnvironment({
  name,
  python,
  requirements,
  ownPackage,
}: VirtualEnvironment): Promise<string> {
  const identity = createHash("sha256").update(`3.${python.minor}\n`).update(readFileSync(requirements));
  for (const file of ownPackage === undefined ? [] : sourcesOf(ownPackage)) identity.update(readFileSync(file));
  const folder = join(CACHE, `${name}-${identity.digest("hex").slice(0, 12)}`);
  const programs = join(folder, "bin");
  const isWhole = join(folder, "installed");
  if (existsSync(isWhole)) return programs;
  // a virtual environment cannot be moved once it is made, so of two starts one waits for the other
  mkdirSync(CACHE, { recursive: true });
  const release = await lock(`${folder}.lock`);
  try {
    if (existsSync(isWhole)) return programs;
    rmSync(folder, { recursive: true, force: true });
    await run(python.program, ["-m", "venv", folder], { timeout: 2 * MINUTES });
    const install = (...what: string[]) =>
      run(
        join(programs, "python"),
        ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps", ...what],
        { timeout: 8 * MINUTES, maxBuffer: 1 << 26 },
      );
    await install("-r", requirements);
    if (ownPackage !== undefined) {
      // pip builds beside the sources
      const copy = join(folder, "own-package");
      cpSync(ownPackage, copy, { recursive: true });
      await install("--no-build-isolation", copy);
    }
    writeFileSync(isWhole, "");
    return programs;
  } finally {
    release();
  }
}

function sourcesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.endsWith("__pycache__"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Waits for a folder that only one may make. One that was left behind by a process that is gone is taken over. */
async function lock(folder: string): Promise<() => void> {
  for (;;) {
    try {
      mkdirSync(folder);
      writeFileSync(join(folder, "process"), String(process.pid));
      return () => rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (isLeftBehind(folder)) {
      const aside = `${folder}.${randomUUID()}`;
      try {
        renameSync(folder, aside);
      } catch {
        continue; // another was quicker
      }
      rmSync(aside, { recursive: true, force: true });
    } else await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

function isLeftBehind(folder: string): boolean {
  const file = join(folder, "process");
  if (!existsSync(file)) return false;
  const holder = Number(readFileSync(file, "utf8"));
  if (!Number.isInteger(holder) || holder <= 0) return false;
  try {
    process.kill(holder, 0);
    return false;
  } catch {
    return true;
  }
}
