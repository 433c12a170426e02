import type { Claim } from "../contracts/claim.ts";
import { encodeJson } from "../contracts/json-document.ts";
import { controlKeys } from "../contracts/keys.ts";
import { type RunStatus, runStatus } from "../contracts/run-status.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import { textMembers } from "../formats/cut-json.ts";
import { lastClaim } from "./claim-run.ts";
import type { StageDependencies } from "./dependencies.ts";
import { readStatus, writeStatus } from "./write-status.ts";

/** How many machines may lie inside one another before the search for the first cause ends. */
const MAX_DEPTH = 8;

/**
 * Writes down why an execution failed, where the run is its own: it holds the run's claim, or nobody does and no other execution has
 * written anything but a failure (a corrected upload begins anew). A run that has succeeded stays so, and an execution's first note
 * counts: the machine that caught a failure knows more of it than the event of its end. The run machine sees `States.TaskFailed` with
 * the round's whole description as its cause; what a person wants is the error at the bottom of it.
 */
export function failRun(deps: StageDependencies) {
  return async (input: StageInput<"fail-run">): Promise<StageOutput<"fail-run">> => {
    const { run, execution } = input;
    const failed: RunStatus = { run, status: "FAILED", execution, ...firstCause(input.error, input.cause) };
    const holder = await lastClaim(deps, run);
    const written = holder === null ? await failUnclaimed(deps, failed) : await failClaimed(deps, holder, failed);
    return { status: controlKeys.status(run), written };
  };
}

async function failClaimed(deps: StageDependencies, holder: Claim, failed: RunStatus): Promise<boolean> {
  if (holder.execution !== failed.execution) return false;
  const before = await readStatus(deps, failed.run);
  if (before?.status === "SUCCEEDED" || isSameFailure(before, failed)) return false;
  return overwrite(deps, failed);
}

/** An upload was refused while nobody held the run. */
async function failUnclaimed(deps: StageDependencies, failed: RunStatus): Promise<boolean> {
  const { objects, buckets } = deps;
  const { run } = failed;
  if (await objects.putIfAbsent(buckets.control, controlKeys.status(run), encodeJson(runStatus.parse(failed))))
    return true;
  const before = await readStatus(deps, run);
  if (before?.status !== "FAILED" || isSameFailure(before, failed)) return false;
  return overwrite(deps, failed);
}

/** Another execution may take the run at this very moment: then its status stands. */
async function overwrite(deps: StageDependencies, failed: RunStatus): Promise<boolean> {
  await writeStatus(deps, failed);
  const holder = await lastClaim(deps, failed.run);
  if (holder === null || holder.execution === failed.execution) return true;
  await writeStatus(deps, { run: failed.run, status: "RUNNING", execution: holder.execution });
  return false;
}

function isSameFailure(before: RunStatus | null, failed: RunStatus): boolean {
  return before?.status === "FAILED" && before.execution === failed.execution;
}

/**
 * Unwraps a nested execution's description ({Error, Cause}) and Lambda's error ({errorType, errorMessage}), cut off or whole.
 * Where the cut took an inner error's name, the outer one stands.
 */
export function firstCause(error: string, cause: string): { error: string; cause: string } {
  let found = { error, cause };
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    if (!found.cause.trimStart().startsWith("{")) return found;
    const inner = textMembers(found.cause);
    const name = inner.get("errorType") ?? inner.get("Error") ?? inner.get("error");
    const message = inner.get("errorMessage") ?? inner.get("Cause") ?? inner.get("cause");
    if (message === undefined) return found;
    found = { error: name ?? found.error, cause: message };
  }
  return found;
}
