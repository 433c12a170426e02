import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { examineExperimentFile } from "../../shared/src/contracts/read-experiment-file.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Where models and texts lie that do not belong to the project. */
export const material = () => resolve(process.env.FEDMKT_MATERIAL ?? at("../../../shared"));

export const DEFAULT_CACHE = at("../../.cache/experiments");

/** The seeds that an experiment's file names. */
export function seedsOf(name: string): number[] {
  const { file, mistakes } = examineExperimentFile(readFileSync(at(`./${name}.yaml`), "utf8"));
  if (file === null)
    throw new Error(`${name}.yaml: ${mistakes.map(({ path, message }) => `${path}: ${message}`).join("; ")}`);
  return file.seeds;
}

/**
 * `fedmkt experiment` on a file of this folder, as from the command line; what it prints is printed. Runs that have ended are not
 * run again, so a bench that was cut off is begun again in the same way.
 *
 * @param cache - holds what was prepared; results come into its folder of the experiment's name
 * @param options - of the command, handed on
 */
export async function runExperiment(name: string, cache: string, options: readonly string[]): Promise<void> {
  const out = join(cache, name);
  mkdirSync(out, { recursive: true });
  const command = [at("../../cli/bin/fedmkt.mjs"), "experiment", at(`./${name}.yaml`), "--out", out, ...options];
  const env = { ...process.env, FEDMKT_MATERIAL: material(), FEDMKT_EXPERIMENTS: resolve(cache) };
  const child = spawn(process.execPath, command, { env, stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`fedmkt experiment ${name}: expected exit code 0, got ${code}`);
}
