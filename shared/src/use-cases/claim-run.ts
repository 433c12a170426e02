import { claim } from "../contracts/claim.ts";
import { encodeJson } from "../contracts/json-document.ts";
import { controlKeys } from "../contracts/keys.ts";
import { InvalidInputError } from "../core/errors.ts";
import type { StageDependencies } from "./dependencies.ts";
import { readJson } from "./read-json.ts";

/**
 * Binds a run's id to one spec, for good: the first comer writes the claim, conditionally. The same spec may come again
 * (a repeated event, a resumed run) and finds its finished jobs; another spec under the same id is refused.
 * @throws InvalidInputError `RUN_CHANGED` with both hashes
 */
export async function claimRun(deps: StageDependencies, run: string, specHash: string): Promise<void> {
  const { control } = deps.buckets;
  if (await deps.objects.putIfAbsent(control, controlKeys.claim(run), encodeJson({ run, specHash }))) return;
  const taken = await readJson(deps.objects, control, controlKeys.claim(run), claim);
  if (taken.specHash !== specHash)
    throw new InvalidInputError(
      "RUN_CHANGED",
      `run ${run} was started with another spec: SHA-256 ${taken.specHash}, now ${specHash}; give the changed spec another name`,
    );
}
