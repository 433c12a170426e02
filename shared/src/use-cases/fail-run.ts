import { encodeJson } from "../contracts/json-document.ts";
import { controlKeys } from "../contracts/keys.ts";
import { runStatus } from "../contracts/run-status.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import { textMembers } from "../formats/cut-json.ts";
import type { StageDependencies } from "./dependencies.ts";
import { readJson } from "./read-json.ts";

/** How many machines may lie inside one another before the search for the first cause ends. */
const MAX_DEPTH = 8;

/**
 * Writes down why the run failed. The run machine sees `States.TaskFailed` with the round's whole description as its cause;
 * what a person wants is the error at the bottom of it. A run that has succeeded stays so; and an upload that never became a
 * plan leaves a run alone that has a plan or a status already: it was another upload's.
 */
export function failRun(deps: StageDependencies) {
  return async ({ run, error, cause, planned }: StageInput<"fail-run">): Promise<StageOutput<"fail-run">> => {
    const { control } = deps.buckets;
    const key = controlKeys.status(run);
    const failed = encodeJson(runStatus.parse({ run, status: "FAILED", ...firstCause(error, cause) }));
    if (planned) {
      if (!(await hasSucceeded(deps, key))) await deps.objects.put(control, key, failed);
    } else if ((await deps.objects.head(control, controlKeys.plan(run))) === null)
      await deps.objects.putIfAbsent(control, key, failed);
    return { status: key };
  };
}

async function hasSucceeded(deps: StageDependencies, key: string): Promise<boolean> {
  const { control } = deps.buckets;
  if ((await deps.objects.head(control, key)) === null) return false;
  return (await readJson(deps.objects, control, key, runStatus)).status === "SUCCEEDED";
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
