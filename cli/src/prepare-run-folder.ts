import { existsSync } from "node:fs";
import { join } from "node:path";
import type { RunState } from "@fedmkt/shared/contracts/run-state.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { SpecFile } from "./read-spec-file.ts";
import { clearRunFolder, isActive, isEmptyFolder, RUN_FILES, readRunState } from "./run-folder.ts";

/**
 * Looks at what an earlier run left in the folder, and clears it where that is asked for.
 * @returns the state of the same run where it is finished; null where there is something to do
 * @throws InvalidInputError `FOLDER_IN_USE` (not a run's folder, or a run goes on there), `RUN_CHANGED` (another spec's run)
 */
export function prepareRunFolder(folder: string, { hash }: SpecFile, fresh: boolean): RunState | null {
  const state = readRunState(folder);
  if (state === null) {
    // never touch a folder that is not a run's, whatever --fresh says
    if (isEmptyFolder(folder)) return null;
    throw new InvalidInputError(
      "FOLDER_IN_USE",
      `${folder}: expected a new folder or a run's, got files but no ${RUN_FILES.state}`,
    );
  }
  if (isActive(state))
    throw new InvalidInputError(
      "FOLDER_IN_USE",
      `${folder}: process ${state.process} is running run ${state.run} there`,
    );
  if (fresh) {
    clearRunFolder(folder);
    return null;
  }
  if (state.specHash !== hash)
    throw new InvalidInputError(
      "RUN_CHANGED",
      `${folder}: holds a run of another spec: expected ${hash}, got ${state.specHash}; give --fresh to delete it, or another --out`,
    );
  return state.status === "SUCCEEDED" && existsSync(join(folder, RUN_FILES.summary)) ? state : null;
}
