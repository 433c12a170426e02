import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type SiteFile, siteFile } from "../../../shared/src/contracts/site-file.ts";
import { assumeRole } from "./assume-role.ts";
import { environmentOf } from "./emulator.ts";
import { startGuarded } from "./guarded-process.ts";
import type { Site } from "./site.ts";

const LAUNCHER = fileURLToPath(new URL("../../../cli/bin/fedmkt.mjs", import.meta.url));

/** A worker on a site's own machine: `fedmkt worker` with its data folder, and short-lived credentials of the site's role. */
export interface EdgeWorker {
  client: string;
  isRunning(): boolean;
  output(): string;
  /** as the site's owner would: SIGTERM */
  stop(): Promise<void>;
}

/**
 * @param privateSet - the file that becomes `private.jsonl` in the worker's data folder; null: its data lie elsewhere
 * @param coordinator - what the site was told
 */
export async function startEdgeWorker(
  site: Site,
  options: { folder: string; privateSet: string | null; coordinator: SiteFile },
): Promise<EdgeWorker> {
  const { folder } = options;
  const { client, emulator, aws } = site;
  const [data, home] = [join(folder, "data"), join(folder, "home")];
  for (const made of [data, home]) mkdirSync(made, { recursive: true });
  if (options.privateSet !== null) copyFileSync(options.privateSet, join(data, "private.jsonl"));
  const config = join(folder, `${client}.fedmkt.json`);
  writeFileSync(config, JSON.stringify(siteFile.parse(options.coordinator)));
  const credentials = emulator.enforcesPolicies ? await assumeRole(aws, site.workerRoleArn) : emulator.owner;
  const program = startGuarded(
    process.execPath,
    [LAUNCHER, "worker", "--client", client, "--config", config, "--data", data],
    { folder: home, log: join(folder, "worker.log"), environment: environmentOf(emulator, credentials, home) },
  );
  return { client, isRunning: program.isRunning, output: program.output, stop: program.stop };
}
