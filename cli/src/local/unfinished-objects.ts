import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";

const META = ".meta.json";
const DATA = ".data";

/**
 * Clears up below fauxqs's folder what a killed process or a power cut left half-written, which fauxqs would stumble over at start:
 * objects whose metadata cannot be read, or whose data is missing or of another length, count as never written (a job is
 * finished by its manifest, so it is done again); uploads in parts are dropped, for the process that sent them is gone.
 */
export function dropUnfinishedObjects(objectsFolder: string): void {
  rmSync(path.join(objectsFolder, "_multipart"), { recursive: true, force: true });
  const buckets = path.join(objectsFolder, "buckets");
  if (!existsSync(buckets)) return;
  for (const bucket of readdirSync(buckets)) {
    restoreBucket(path.join(buckets, bucket, ".bucket.json"), bucket);
    const objects = path.join(buckets, bucket, "objects");
    if (!existsSync(objects)) continue;
    for (const file of readdirSync(objects, { recursive: true, encoding: "utf8" })) {
      const suffix = file.endsWith(META) ? META : file.endsWith(DATA) ? DATA : undefined;
      if (suffix === undefined) continue;
      const base = path.join(objects, file.slice(0, -suffix.length));
      if (isWhole(base)) continue;
      for (const part of [META, DATA]) rmSync(base + part, { force: true });
    }
  }
}

function isWhole(base: string): boolean {
  const meta = readJson(base + META);
  const data = statSync(base + DATA, { throwIfNoEntry: false });
  return typeof meta?.key === "string" && data !== undefined && meta.contentLength === data.size;
}

/** A bucket without readable metadata would lose its objects. */
function restoreBucket(file: string, name: string): void {
  if (readJson(file)?.name === name) return;
  writeFileSync(file, JSON.stringify({ name, creationDate: new Date(0).toISOString(), type: "general-purpose" }));
}

function readJson(file: string): Record<string, unknown> | null {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown> | null;
  } catch {
    return null;
  }
}
