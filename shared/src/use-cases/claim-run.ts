import { type Claim, claim } from "../contracts/claim.ts";
import { encodeJson } from "../contracts/json-document.ts";
import { controlKeys } from "../contracts/keys.ts";
import { InvalidInputError } from "../core/errors.ts";
import type { PlanDependencies, RunStores } from "./dependencies.ts";
import { readJson } from "./read-json.ts";

/**
 * Takes a run for one execution. A run's id is bound to one spec for good by its first claim; of the executions of that spec one
 * holds the run at a time: the highest claim counts, and a next one is taken, conditionally, only once its execution has ended
 * without success. An execution that asks again finds its own claim.
 * @returns null: the run is this execution's; else the execution that has it, under way or successful
 * @throws InvalidInputError `RUN_CHANGED` with both hashes
 */
export async function claimRun(deps: PlanDependencies, claimant: Claim): Promise<string | null> {
  const { run, specHash, execution } = claimant;
  for (;;) {
    const last = await lastClaim(deps, run);
    if (last !== null) {
      if (last.specHash !== specHash)
        throw new InvalidInputError(
          "RUN_CHANGED",
          `run ${run} was started with another spec: SHA-256 ${last.specHash}, now ${specHash}; give the changed spec another name`,
        );
      if (last.execution === execution) return null;
      if ((await deps.executions.standing(last.execution)) !== "ended") return last.execution;
    }
    const key = controlKeys.claim(run, (last?.number ?? 0) + 1);
    if (await deps.objects.putIfAbsent(deps.buckets.control, key, encodeJson(claim.parse(claimant)))) return null;
    // another execution was quicker: see who it is
  }
}

/** The claim that counts, with its number; null where nobody has taken the run. */
export async function lastClaim(
  { objects, buckets: { control } }: RunStores,
  run: string,
): Promise<(Claim & { number: number }) | null> {
  const keys = await objects.list(control, controlKeys.claims(run));
  const last = keys.at(-1);
  if (last === undefined) return null;
  return { ...(await readJson(objects, control, last, claim)), number: numberOf(last) };
}

function numberOf(key: string): number {
  return Number(/(\d+)\.json$/.exec(key)?.[1] ?? 0);
}
