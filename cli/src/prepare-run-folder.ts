import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { RunState } from "@fedmkt/shared/contracts/run-state.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { lockFolder } from "./folder-lock.ts";
import type { SpecFile } from "./read-spec-file.ts";
import { clearRunFolder, isEmptyFolder, RUN_FILES, readRunState } from "./run-folder.ts";

export interface PreparedFolder {
  /** the state of the same run where it is finished; null where there is something to do */
  finished: RunState | null;
  /** lets the folder go */
  release(): void;
}

/**
 * Takes a run's folder for this process, before anything in it is read or written; looks at what an earlier run left there, and
 * clears it where that is asked for.
 * @throws InvalidInputError `FOLDER_IN_USE` (not a run's folder, or a run goes on there), `RUN_CHANGED` (another spec's run),
 *   `BAD_ARGUMENT` (no folder), `ACCESS_DENIED`
 */
export function prepareRunFolder(folder: string, { hash }: SpecFile, fresh: boolean): PreparedFolder {
  const place = statSync(folder, { throwIfNoEntry: false });
  if (place && !place.isDirectory())
    throw new InvalidInputError("BAD_ARGUMENT", `fedmkt run: --out: expected a folder, ${folder} is a file`);
  // never touch a folder that is not a run's, whatever --fresh says
  if (!existsSync(join(folder, RUN_FILES.state)) && !isEmptyFolder(folder))
    throw new InvalidInputError(
      "FOLDER_IN_USE",
      `${folder}: expected a new folder or a run's, got files but no ${RUN_FILES.state}`,
    );
  const release = lockFolder(folder);
  try {
    if (fresh) clearRunFolder(folder);
    return { finished: finishedRun(folder, hash), release };
  } catch (error) {
    release();
    throw error;
  }
}

function finishedRun(folder: string, hash: string): RunState | null {
  const state = readRunState(folder);
  if (state === null) return null;
  if (state.specHash !== hash)
    throw new InvalidInputError(
      "RUN_CHANGED",
      `${folder}: holds a run of another spec: expected ${hash}, got ${state.specHash}; give --fresh to delete it, or another --out`,
    );
  return state.status === "SUCCEEDED" && existsSync(join(folder, RUN_FILES.summary)) ? state : null;
}
