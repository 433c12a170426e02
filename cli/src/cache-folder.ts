import { accessSync, constants, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Where compiled code and synthesized machines are kept: `.cache` in the checkout; where that cannot be written (a read-only
 * checkout, another user's), the user's own cache.
 */
export function cacheFolder(
  repository: string = REPOSITORY,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const beside = join(repository, ".cache");
  try {
    mkdirSync(beside, { recursive: true });
    accessSync(beside, constants.W_OK);
    return beside;
  } catch {
    return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "fedmkt");
  }
}
