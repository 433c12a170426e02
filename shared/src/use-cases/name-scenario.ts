import type { Plan } from "../contracts/plan.ts";
import type { Scenario } from "../contracts/summary.ts";

/** What the field calls a federation like the plan's. Nothing is decided by it. */
export function nameScenario({ parties, spec }: Pick<Plan, "parties" | "spec">): Scenario {
  const clients = parties.filter(({ id }) => id !== "server");
  const kinds = new Set(
    clients.map(({ configHash, tokenizerHash, weightsFingerprint }) =>
      [configHash, tokenizerHash, weightsFingerprint].join(" "),
    ),
  );
  if (spec.distillation.direction === "none") return "no transfer";
  if (spec.distillation.direction === "to-clients") return "one-way";
  if (clients.length === 1) return "one-to-one";
  return kinds.size === 1 ? "homogeneous" : "heterogeneous";
}
