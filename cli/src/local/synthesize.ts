import { spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { InvariantError } from "@fedmkt/shared/core/errors.ts";

export const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));

/** What the cloud assembly is made from: whatever changes here makes a new one. */
const SOURCES = ["cdk", "functions", "shared/src", "gpu-workers", "cdk.json", "package-lock.json"];
const NOT_SOURCES = new Set(["node_modules", "cdk.out", ".build", ".cache"]);

export interface SynthesizeOptions {
  repository?: string;
  cacheFolder?: string;
  /** program and arguments that write the assembly to `CDK_OUTDIR` */
  program?: string[];
}

/**
 * The app's cloud assembly, synthesized once for each state of its sources and then taken from the cache. Two processes that start
 * at once may both synthesize; each writes beside the cache and the first to finish is kept.
 *
 * @returns the assembly's folder, and whether it was there already
 * @throws InvariantError `SYNTHESIS_FAILED` with what the CDK app said
 */
export async function synthesizeAssembly(
  options: SynthesizeOptions = {},
): Promise<{ folder: string; cached: boolean }> {
  const repository = options.repository ?? REPOSITORY;
  const cache = options.cacheFolder ?? path.join(repository, ".cache", "assembly");
  const program = options.program ?? [process.execPath, "--no-warnings", path.join(repository, "cdk", "bin", "app.ts")];
  const folder = path.join(cache, await hashSources(repository));
  if (existsSync(path.join(folder, "manifest.json"))) return { folder, cached: true };

  const unfinished = `${folder}.${randomUUID()}.unfinished`;
  await mkdir(unfinished, { recursive: true });
  try {
    await runProgram(program, repository, unfinished);
    // ends the search for a package.json, so that the bundles' module kind does not depend on the repository around them
    await writeFile(path.join(unfinished, "package.json"), '{ "private": true }\n');
    await rename(unfinished, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return { folder, cached: false };
}

/** SHA-256 over paths and contents of all sources, in order. */
async function hashSources(repository: string): Promise<string> {
  const hash = createHash("sha256");
  for (const source of SOURCES) {
    for (const file of await filesBelow(path.join(repository, source))) {
      hash
        .update(`${path.relative(repository, file)}\0`)
        .update(await readFile(file))
        .update("\0");
    }
  }
  return hash.digest("hex").slice(0, 32);
}

async function filesBelow(place: string): Promise<string[]> {
  const entries = await readdir(place, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOTDIR") return null;
    if (error.code === "ENOENT") return [];
    throw error;
  });
  if (entries === null) return [place];
  const kept = entries
    .filter(({ name }) => !NOT_SOURCES.has(name))
    .sort((left, right) => (left.name < right.name ? -1 : 1));
  const nested = await Promise.all(
    kept.map((entry) =>
      entry.isDirectory() ? filesBelow(path.join(place, entry.name)) : [path.join(place, entry.name)],
    ),
  );
  return nested.flat();
}

async function runProgram([command, ...rest]: string[], repository: string, outdir: string): Promise<void> {
  const child = spawn(command!, rest, {
    cwd: repository,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, CDK_OUTDIR: outdir, NODE_OPTIONS: "" },
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(-4000);
    });
  }
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once("error", reject).once("close", resolve),
  );
  if (code !== 0)
    throw new InvariantError("SYNTHESIS_FAILED", `synthesis ended with exit code ${code}:\n${said.trim()}`);
}
