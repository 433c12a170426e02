import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";

const heldHere = new Set<string>();

/**
 * Holds a run's folder for this process: two embedded clouds on the same files would not see each other's writes. A lock that a
 * killed process left behind is taken over.
 *
 * @returns lets the folder go
 * @throws InvalidInputError `FOLDER_IN_USE`
 */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true });
  const file = path.join(path.resolve(folder), "lock");
  const refuse = (pid: number): never => {
    throw new InvalidInputError(
      "FOLDER_IN_USE",
      `${folder} is in use by process ${pid}; if that is no local run, delete ${file}`,
    );
  };
  if (heldHere.has(file)) refuse(process.pid);
  for (const lastTry of [false, true]) {
    try {
      writeFileSync(file, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || lastTry) throw error;
      const pid = Number(readFileSync(file, "utf8"));
      if (pid !== process.pid && isAlive(pid)) refuse(pid);
      rmSync(file, { force: true });
    }
  }
  heldHere.add(file);
  return () => {
    if (heldHere.delete(file)) rmSync(file, { force: true });
  };
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
