import { encodeJson } from "../contracts/json-document.ts";
import { controlKeys } from "../contracts/keys.ts";
import { type RunStatus, runStatus } from "../contracts/run-status.ts";
import type { RunStores } from "./dependencies.ts";
import { readJson } from "./read-json.ts";

/** Writes down how a run stands, whatever stood there. */
export async function writeStatus({ objects, buckets }: RunStores, status: RunStatus): Promise<void> {
  await objects.put(buckets.control, controlKeys.status(status.run), encodeJson(runStatus.parse(status)));
}

/** How a run stands; null where nothing is written down. */
export async function readStatus({ objects, buckets }: RunStores, run: string): Promise<RunStatus | null> {
  const key = controlKeys.status(run);
  if ((await objects.head(buckets.control, key)) === null) return null;
  return readJson(objects, buckets.control, key, runStatus);
}
