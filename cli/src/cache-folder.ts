import { accessSync, constants, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { CHECKOUT } from "./installation.ts";

/**
 * Where compiled code and synthesized machines are kept: `.cache` in the checkout; where that cannot be written (a read-only
 * checkout, another user's) and for the bundled package, the user's own cache.
 */
export function cacheFolder(
  repository: string | null = CHECKOUT,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const own = join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "fedmkt");
  if (repository === null) return own;
  const beside = join(repository, ".cache");
  try {
    mkdirSync(beside, { recursive: true });
    accessSync(beside, constants.W_OK);
    return beside;
  } catch {
    return own;
  }
}
