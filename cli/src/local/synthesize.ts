import { spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { InvariantError } from "@fedmkt/shared/core/errors.ts";
import { cacheFolder } from "../cache-folder.ts";
import { CHECKOUT, PACKAGED_ASSEMBLY } from "../installation.ts";

/** What the cloud assembly is made from: whatever changes here makes a new one. */
const SOURCES = [
  "cdk",
  "functions",
  "gpu-workers",
  "shared/src",
  "shared/package.json",
  "cdk.json",
  "package.json",
  "package-lock.json",
  "tsconfig.base.json",
];
/** What the app is told as the CDK CLI would: any client's template, of which each client of a run gets its stack. */
const CONTEXT = JSON.stringify({ clientTemplate: "true" });
const NOT_SOURCES = new Set(["node_modules", "cdk.out", ".build", ".cache"]);

/** Assemblies of other states of the sources that stay, the last used ones: some MB each. */
const KEPT_ASSEMBLIES = 4;
/** Synthesis takes seconds: what is unfinished after an hour was killed. */
const UNFINISHED_MS = 3_600_000;

export interface SynthesizeOptions {
  repository?: string;
  cacheFolder?: string;
  /** program and arguments that write the assembly to `CDK_OUTDIR` */
  program?: string[];
  /** ends the synthesis */
  signal?: AbortSignal;
}

/**
 * The app's cloud assembly, synthesized once for each state of its sources and then taken from the cache; the bundled package
 * brings it. Two processes that start at once may both synthesize; each writes beside the cache and the first to finish is kept.
 *
 * @returns the assembly's folder, and whether it was there already
 * @throws InvariantError `SYNTHESIS_FAILED` with what the CDK app said; the signal's reason where that ended it
 */
export async function synthesizeAssembly(
  options: SynthesizeOptions = {},
): Promise<{ folder: string; cached: boolean }> {
  const repository = options.repository ?? CHECKOUT;
  if (repository === null) return { folder: PACKAGED_ASSEMBLY!, cached: true };
  const cache = options.cacheFolder ?? path.join(cacheFolder(repository), "assembly");
  const program = options.program ?? [process.execPath, "--no-warnings", path.join(repository, "cdk", "bin", "app.ts")];
  const folder = path.join(cache, await hashSources(repository));
  if (existsSync(path.join(folder, "manifest.json"))) {
    await utimes(folder, new Date(), new Date()).catch(() => {}); // used now
    return { folder, cached: true };
  }

  const unfinished = `${folder}.${randomUUID()}.unfinished`;
  await mkdir(unfinished, { recursive: true });
  try {
    await runProgram(program, repository, unfinished, options.signal);
    // ends the search for a package.json, so that the bundles' module kind does not depend on the repository around them
    await writeFile(path.join(unfinished, "package.json"), '{ "private": true }\n');
    await rename(unfinished, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  await prune(cache, folder);
  return { folder, cached: false };
}

/** Takes away what nobody will use; never more than a cache, so trouble with it is no trouble. */
async function prune(cache: string, current: string): Promise<void> {
  const entries = await Promise.all(
    (await readdir(cache)).map(async (name) => {
      const place = path.join(cache, name);
      const usedMs = await stat(place).then(
        ({ mtimeMs }) => mtimeMs,
        () => Number.POSITIVE_INFINITY, // another process takes it away right now
      );
      return { place, usedMs };
    }),
  );
  const isUnfinished = ({ place }: { place: string }) => place.endsWith(".unfinished");
  const old = entries
    .filter((entry) => !isUnfinished(entry) && entry.place !== current)
    .sort((left, right) => right.usedMs - left.usedMs)
    .slice(KEPT_ASSEMBLIES);
  const killed = entries.filter((entry) => isUnfinished(entry) && Date.now() - entry.usedMs > UNFINISHED_MS);
  await Promise.all(
    [...old, ...killed].map(({ place }) => rm(place, { recursive: true, force: true }).catch(() => {})),
  );
}

/** SHA-256 over the app's context, and paths and contents of all sources, in order. */
async function hashSources(repository: string): Promise<string> {
  const hash = createHash("sha256").update(`${CONTEXT}\0`);
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

/** A Ctrl-C reaches the program too, and its end may be known here before the signal is. */
const INTERRUPT_MS = 200;

async function runProgram(
  [command, ...rest]: string[],
  repository: string,
  outdir: string,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  const child = spawn(command!, rest, {
    cwd: repository,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, CDK_OUTDIR: outdir, CDK_CONTEXT_JSON: CONTEXT, NODE_OPTIONS: "" },
  });
  const end = () => child.kill();
  signal?.addEventListener("abort", end, { once: true });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(-4000);
    });
  }
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once("error", reject).once("close", resolve),
  );
  signal?.removeEventListener("abort", end);
  if (code !== 0 && signal) {
    if (child.signalCode === "SIGINT") await sleep(INTERRUPT_MS);
    signal.throwIfAborted();
  }
  if (code !== 0)
    throw new InvariantError(
      "SYNTHESIS_FAILED",
      `synthesis ended with ${child.signalCode ? `signal ${child.signalCode}` : `exit code ${code}`}:\n${said.trim()}`,
    );
}
