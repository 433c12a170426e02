import { deriveVariant } from "../contracts/derive-variant.ts";
import type { Plan } from "../contracts/plan.ts";
import type { PlannedRound } from "../contracts/stages.ts";
import { type Variant, variantRun } from "../contracts/variants.ts";
import { membersOf } from "./round-members.ts";

type Planned = Pick<Plan, "run" | "spec" | "variantOf"> & { public: Pick<Plan["public"], "shards"> };

/** One round as the machine needs it. */
export function plannedRound({ run, spec, variantOf, public: { shards } }: Planned, round: number): PlannedRound {
  return {
    run,
    round,
    direction: spec.distillation.direction,
    aggregation: spec.aggregation,
    begun: variantOf !== null && round === 1,
    members: membersOf(spec, shards, round),
  };
}

/**
 * A variant's plan: the run's own with the variant's spec. Public and held-out sets are the run's objects; maps and baselines are
 * made for the run alone.
 */
export function variantPlan(plan: Plan, variant: Variant): Plan {
  const derived = {
    ...plan,
    run: variantRun(plan.run, variant),
    variantOf: { run: plan.run, variant },
    spec: deriveVariant(plan.spec, variant),
  };
  return {
    ...derived,
    machine: { run: plan.run, maps: [], baselines: [], variants: [], first: plannedRound(derived, 1) },
  };
}

/**
 * The round that follows one that has ended.
 * @param main - the plan of the run that a user started, whose variants follow its last round
 * @returns null after the last
 */
export function nextRound(plan: Plan, main: Plan, round: number): PlannedRound | null {
  if (round < plan.spec.rounds) return plannedRound(plan, round + 1);
  const { variants } = main.machine;
  const next = variants[plan.variantOf === null ? 0 : variants.indexOf(plan.variantOf.variant) + 1];
  return next === undefined ? null : variantPlan(main, next).machine.first;
}
