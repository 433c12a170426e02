import type { Plan } from "../contracts/plan.ts";
import { InvalidInputError } from "../core/errors.ts";
import type { Sample } from "../core/samples/sample.ts";
import { readSamples } from "../formats/samples.ts";
import { sha256 } from "../formats/sha256.ts";
import type { StageDependencies } from "./dependencies.ts";

/** Largest set of samples held in memory at once, as canonical JSONL. */
export const MAX_SET_BYTES = 1024 * 1024 * 1024;

/** The public set as plan-run cut it, checked against the plan. @throws InvalidInputError `DATASET_CHANGED` */
export async function loadPublicSet(deps: StageDependencies, plan: Plan): Promise<Sample[]> {
  return loadSamples(deps, plan.public.key, plan.public.hash);
}

/** The public samples of one shard. */
export async function loadPublicShard(deps: StageDependencies, plan: Plan, shard: number): Promise<Sample[]> {
  const { samplesPerShard } = plan.spec;
  return (await loadPublicSet(deps, plan)).slice(shard * samplesPerShard, (shard + 1) * samplesPerShard);
}

export async function loadSamples(deps: StageDependencies, key: string, hash: string): Promise<Sample[]> {
  const bytes = await deps.objects.get(deps.buckets.control, key, MAX_SET_BYTES);
  const found = sha256(bytes);
  if (found !== hash)
    throw new InvalidInputError("DATASET_CHANGED", `${key}: expected SHA-256 ${hash} as the plan says, found ${found}`);
  return readSamples(bytes, key);
}
