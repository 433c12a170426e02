import { encodeJson } from "../contracts/json-document.ts";
import { controlKeys } from "../contracts/keys.ts";
import { type Plan, plan } from "../contracts/plan.ts";
import { InvalidInputError } from "../core/errors.ts";
import type { StageDependencies } from "./dependencies.ts";
import { readJson } from "./read-json.ts";

/**
 * Writes plan.json, once for good. A run that is taken up again must find everything as it was: finished jobs were made from
 * what the first plan saw.
 * @throws InvalidInputError `PLAN_CHANGED` naming what differs
 */
export async function writePlan(deps: StageDependencies, document: Plan): Promise<void> {
  const key = controlKeys.plan(document.run);
  const bytes = encodeJson(plan.parse(document));
  if (await deps.objects.putIfAbsent(deps.buckets.control, key, bytes)) return;
  const before = await readJson(deps.objects, deps.buckets.control, key, plan);
  const differing = differences(before, document);
  if (differing.length > 0)
    throw new InvalidInputError(
      "PLAN_CHANGED",
      `run ${document.run} was planned before, and since then ${differing.join(", ")} changed; put it back, or start a run under another name`,
    );
}

function differences(before: Plan, now: Plan): string[] {
  const found: string[] = [];
  for (const party of now.parties) {
    const other = before.parties.find(({ id }) => id === party.id);
    for (const [field, name] of [
      ["configHash", "config.json"],
      ["tokenizerHash", "tokenizer.json"],
      ["weightsFingerprint", "weights"],
    ] as const)
      if (other?.[field] !== party[field]) found.push(`${party.id}'s ${name}`);
  }
  if (before.public.hash !== now.public.hash) found.push("the public set");
  for (const [index, { name, hash }] of now.evaluation.entries())
    if (before.evaluation[index]?.hash !== hash) found.push(`the held-out set ${name}`);
  if (found.length === 0 && JSON.stringify(plan.parse(before)) !== JSON.stringify(plan.parse(now)))
    found.push("what the program plans from the same inputs");
  return found;
}
