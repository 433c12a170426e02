import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { identityOf, isAlive, type ProcessIdentity } from "./process-identity.ts";

export const LOCK_FILE = "lock";
/** A lock without content is being written right now, unless it is older than this: then its writer was killed meanwhile. */
const WRITTEN_WITHIN_MS = 10_000;

const heldHere = new Set<string>();

/**
 * Holds a folder for this process: two runs on the same files would not see each other's writes. A lock that a killed process left
 * behind is taken over, also where its process id has gone to another program since.
 *
 * @returns lets the folder go
 * @throws InvalidInputError `FOLDER_IN_USE`; `ACCESS_DENIED` where the folder cannot be made or written
 */
export function lockFolder(folder: string): () => void {
  const file = join(resolve(folder), LOCK_FILE);
  const refuse = (pid: number | string): never => {
    throw new InvalidInputError(
      "FOLDER_IN_USE",
      `${folder}: process ${pid} is running there; if that is no fedmkt, delete ${file}`,
    );
  };
  if (heldHere.has(file)) refuse(process.pid);
  const own = JSON.stringify(identityOf(process.pid));
  try {
    mkdirSync(folder, { recursive: true });
    for (const lastTry of [false, true]) {
      if (createFile(file, own)) break;
      const found = readLock(file);
      if (found === null && !lastTry) continue; // it went just now
      if (found === null || lastTry || isHeld(found)) refuse(found?.holder?.pid ?? "unknown");
      else removeStale(file, found.text);
    }
  } catch (error) {
    if (error instanceof InvalidInputError) throw error;
    throw new InvalidInputError("ACCESS_DENIED", `${folder}: expected a folder that can be written: ${error}`);
  }
  heldHere.add(file);
  return () => {
    if (heldHere.delete(file)) rmSync(file, { force: true });
  };
}

/** Whether a living process, this one included, holds the folder. */
export function isLocked(folder: string): boolean {
  const found = readLock(join(resolve(folder), LOCK_FILE));
  return found !== null && isHeld(found);
}

interface FoundLock {
  text: string;
  /** null where the content cannot be read as a holder */
  holder: ProcessIdentity | null;
  ageMs: number;
}

function readLock(file: string): FoundLock | null {
  try {
    const text = readFileSync(file, "utf8");
    const ageMs = Date.now() - statSync(file).mtimeMs;
    return { text, holder: parseHolder(text), ageMs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

function parseHolder(text: string): ProcessIdentity | null {
  try {
    const parsed = JSON.parse(text) as ProcessIdentity | null;
    return Number.isInteger(parsed?.pid) ? parsed : null;
  } catch {
    return null;
  }
}

function isHeld({ holder, ageMs }: FoundLock): boolean {
  return holder === null ? ageMs < WRITTEN_WITHIN_MS : isAlive(holder);
}

function createFile(file: string, content: string): boolean {
  try {
    writeFileSync(file, content, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Renaming lets one of several win; what turns out to be another one's new lock is given back. */
function removeStale(file: string, staleText: string): void {
  const aside = `${file}.${randomUUID()}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  const taken = readFileSync(aside, "utf8");
  if (taken !== staleText) createFile(file, taken);
  rmSync(aside, { force: true });
}
