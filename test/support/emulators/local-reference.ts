import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { storedObjects } from "../../../cli/src/local/stored-objects.ts";
import type { RunSpecInput } from "../../../shared/src/contracts/run-spec.ts";
import { specYaml } from "../tiny-federation.ts";
import type { RunObjects } from "./run-objects.ts";
import { sha256 } from "./run-objects.ts";

const LAUNCHER = fileURLToPath(new URL("../../../cli/bin/fedmkt.mjs", import.meta.url));

/** Runs a spec by `fedmkt run --local`, in a process of its own. @returns what it stored */
export async function runOnThisMachine(spec: RunSpecInput, folder: string): Promise<RunObjects> {
  mkdirSync(folder, { recursive: true });
  const out = join(folder, "run");
  const file = join(folder, "run.yaml");
  writeFileSync(file, specYaml(spec));
  await new Promise<void>((resolve, reject) => {
    execFile(
      process.execPath,
      [LAUNCHER, "run", "--local", file, "--out", out, "--concurrency", "1"],
      { env: { ...process.env, NODE_OPTIONS: "" }, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => (error === null ? resolve() : reject(new Error(`${stdout}\n${stderr}`))),
    );
  });
  const objects = storedObjects(out);
  const bucket = objects.buckets().find((name) => objects.list(name, `runs/${spec.name}/published/`).length > 0)!;
  const control = objects.buckets().find((name) => objects.has(name, `runs/${spec.name}/run.yaml`))!;
  return {
    specHash: sha256(objects.read(control, `runs/${spec.name}/run.yaml`)),
    keys: objects.list(bucket, ""),
    read: async (key) => objects.read(bucket, key),
  };
}
