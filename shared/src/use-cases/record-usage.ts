import { encodeJson } from "../contracts/json-document.ts";
import { artefactKeys } from "../contracts/keys.ts";
import { type Usage, usage } from "../contracts/usage.ts";
import type { RunStores } from "./dependencies.ts";

/**
 * Writes down what one attempt at a job used: beside the job's outputs, since those are the same bytes whoever made them and however
 * often it was tried.
 * @param attempt - a name that no other attempt at any of the party's jobs in this run has
 */
export async function recordUsage(
  { objects, buckets }: RunStores,
  attempt: string,
  used: Omit<Usage, "version">,
): Promise<void> {
  const key = artefactKeys.usage(used.run, used.party, attempt);
  await objects.put(buckets.artefacts, key, encodeJson(usage.parse({ version: 1, ...used })));
}
