import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { encodeJson, parseJson } from "@fedmkt/shared/contracts/json-document.ts";
import { type RunState, runState } from "@fedmkt/shared/contracts/run-state.ts";
import { type RunSummary, runSummary } from "@fedmkt/shared/contracts/summary.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { isLocked, LOCK_FILE } from "./folder-lock.ts";

export const RUN_FILES = {
  spec: "spec.yaml",
  state: "run.json",
  summary: "summary.json",
  report: "report.html",
  logs: "logs",
};

/** @returns null where the folder holds no run */
export function readRunState(folder: string): RunState | null {
  const file = join(folder, RUN_FILES.state);
  return existsSync(file) ? parseJson(readFileSync(file), file, runState) : null;
}

export function writeRunState(folder: string, state: RunState): void {
  writeRunFile(folder, RUN_FILES.state, encodeJson(runState.parse(state)));
}

/** Writes beside and renames, so that a file is there whole or not at all; makes folders as needed. */
export function writeRunFile(folder: string, name: string, content: string | Uint8Array): void {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.part`, content);
  renameSync(`${file}.part`, file);
}

/** The error of a run that was stopped by hand; nothing is wrong with it. */
export const INTERRUPTED = "Interrupted";

/** @throws InvalidInputError `SUMMARY_MISSING`, `DOCUMENT_INVALID` */
export function readRunSummary(folder: string): RunSummary {
  const file = join(folder, RUN_FILES.summary);
  if (!existsSync(file))
    throw new InvalidInputError(
      "SUMMARY_MISSING",
      `${folder}: expected a finished run's folder, there is no ${RUN_FILES.summary}`,
    );
  return parseJson(readFileSync(file), file, runSummary);
}

/** Whether a living process runs this run; that holds the folder's lock. */
export function isActive(state: RunState, folder: string): boolean {
  return state.status === "RUNNING" && isLocked(folder);
}

/** Takes a run's files away, all but the lock; only from a folder that holds a run. */
export function clearRunFolder(folder: string): void {
  for (const name of filesOf(folder)) rmSync(join(folder, name), { recursive: true, force: true });
}

export function isEmptyFolder(folder: string): boolean {
  return !existsSync(folder) || filesOf(folder).length === 0;
}

function filesOf(folder: string): string[] {
  return readdirSync(folder).filter((name) => name !== LOCK_FILE);
}
