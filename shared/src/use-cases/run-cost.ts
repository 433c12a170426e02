import { parseJson } from "../contracts/json-document.ts";
import { artefactKeys } from "../contracts/keys.ts";
import type { Plan } from "../contracts/plan.ts";
import { type Usage, usage } from "../contracts/usage.ts";
import { VARIANTS, variantRun } from "../contracts/variants.ts";
import { hourlyDollars } from "../core/cost/prices.ts";
import { InvalidInputError } from "../core/errors.ts";
import type { RunStores } from "./dependencies.ts";
import { SERVER } from "./round-members.ts";

const MAX_USAGE_BYTES = 4096;
/** Documents read at a time: a run of ten rounds and eight clients has some three hundred. */
const AT_ONCE = 16;
const SECONDS_PER_HOUR = 3600;

/**
 * What the workers of a run and of its variants have cost so far, by the price table: the time of every attempt, those that failed too. A site's own worker is
 * not the coordinator's to pay, and what it says of itself is not read.
 * @throws InvalidInputError `PRICE_UNKNOWN` where the spec has a budget and a machine's price is not in the table; without a budget
 *   such a machine counts nothing
 */
export async function runDollars(deps: RunStores, plan: Plan): Promise<number> {
  const paid = new Set(plan.spec.clients.filter(({ compute }) => compute === "ecs").map(({ id }) => id)).add(SERVER.id);
  const main = plan.variantOf?.run ?? plan.run;
  const keys: string[] = [];
  // of a run its plan names them; a variant's does not
  const variants = plan.variantOf === null ? plan.machine.variants : VARIANTS;
  for (const run of [main, ...variants.map((variant) => variantRun(main, variant))]) {
    const prefix = artefactKeys.usageOf(run);
    const found = await deps.objects.list(deps.buckets.artefacts, prefix);
    keys.push(...found.filter((key) => paid.has(key.slice(prefix.length).split("/")[0])));
  }
  let dollars = 0;
  for (let index = 0; index < keys.length; index += AT_ONCE) {
    const used = await Promise.all(keys.slice(index, index + AT_ONCE).map((key) => readUsage(deps, key)));
    for (const one of used) dollars += dollarsOf(one, plan.spec.budget !== undefined);
  }
  return dollars;
}

async function readUsage({ objects, buckets }: RunStores, key: string): Promise<Usage> {
  return parseJson(await objects.get(buckets.artefacts, key, MAX_USAGE_BYTES), key, usage);
}

function dollarsOf({ seconds, instanceType, spot }: Usage, strict: boolean): number {
  if (instanceType === null) return 0;
  try {
    return (seconds / SECONDS_PER_HOUR) * hourlyDollars(instanceType, spot);
  } catch (error) {
    if (!strict && error instanceof InvalidInputError && error.code === "PRICE_UNKNOWN") return 0;
    throw error;
  }
}
