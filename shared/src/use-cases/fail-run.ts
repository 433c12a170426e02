import { encodeJson } from "../contracts/json-document.ts";
import { controlKeys } from "../contracts/keys.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import type { StageDependencies } from "./dependencies.ts";

/** How many machines may lie inside one another before the search for the first cause ends. */
const MAX_DEPTH = 8;

/**
 * Writes down why the run failed. The run machine sees `States.TaskFailed` with the round's whole description as its cause;
 * what a person wants is the error at the bottom of it.
 */
export function failRun(deps: StageDependencies) {
  return async ({ run, error, cause }: StageInput<"fail-run">): Promise<StageOutput<"fail-run">> => {
    const first = firstCause(error, cause);
    const key = controlKeys.status(run);
    await deps.objects.put(deps.buckets.control, key, encodeJson({ run, status: "FAILED", ...first }));
    return { status: key };
  };
}

/** Unwraps a nested execution's description ({Error, Cause}) and Lambda's error ({errorType, errorMessage}). */
export function firstCause(error: string, cause: string): { error: string; cause: string } {
  let found = { error, cause };
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const inner = parsed(found.cause);
    if (inner === null) return found;
    const name = inner.errorType ?? inner.Error ?? inner.error;
    const message = inner.errorMessage ?? inner.Cause ?? inner.cause;
    if (typeof message !== "string") return found;
    found = { error: typeof name === "string" ? name : found.error, cause: message };
  }
  return found;
}

function parsed(text: string): Record<string, unknown> | null {
  if (!text.trimStart().startsWith("{")) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
