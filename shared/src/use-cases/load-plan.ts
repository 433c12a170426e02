import { controlKeys } from "../contracts/keys.ts";
import { type PartyPlan, type Plan, plan } from "../contracts/plan.ts";
import { InvalidInputError, invariant } from "../core/errors.ts";
import type { RunStores } from "./dependencies.ts";
import { readJson } from "./read-json.ts";

/** The plan of a run. @throws InvalidInputError `OBJECT_MISSING` before plan-run has run */
export async function loadPlan(deps: RunStores, run: string): Promise<Plan> {
  const found = await readJson(deps.objects, deps.buckets.control, controlKeys.plan(run), plan);
  invariant(found.run === run, "PLAN_MISPLACED", `plan.json of ${run} says it belongs to ${found.run}`);
  return found;
}

/** The plan of the run that a user started: a variant's plan names it, else it is the plan itself. */
export async function loadMainPlan(deps: RunStores, found: Plan): Promise<Plan> {
  return found.variantOf === null ? found : loadPlan(deps, found.variantOf.run);
}

/** @throws InvalidInputError `PARTY_UNKNOWN` */
export function partyOf(plan: Plan, party: string): PartyPlan {
  const found = plan.parties.find((candidate) => candidate.id === party);
  if (found) return found;
  const known = plan.parties.map((candidate) => candidate.id).join(", ");
  throw new InvalidInputError("PARTY_UNKNOWN", `run ${plan.run}: there is no party "${party}"; there are ${known}`);
}
