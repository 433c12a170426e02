import type { RunSpec } from "./run-spec.ts";
import { VARIANTS, type Variant } from "./variants.ts";

/** The variants that a spec asks for, in the order in which they run; none where there is nothing to score them on. */
export function variantsOf({ baselines, evaluation }: RunSpec): Variant[] {
  return evaluation.length === 0 ? [] : VARIANTS.filter((variant) => baselines.includes(variant));
}

/** What a variant's rounds follow instead of the run's spec: the same but for what it is there to compare. */
export function deriveVariant(spec: RunSpec, variant: Variant): RunSpec {
  const alone = { ...spec, baselines: [] };
  const directed = (direction: RunSpec["distillation"]["direction"]): RunSpec => ({
    ...alone,
    distillation: { ...spec.distillation, direction },
  });
  if (variant === "one-way") return directed("to-clients");
  const averaged: RunSpec = { ...directed("none"), aggregation: "fedavg" };
  if (variant === "fedavg+public") return averaged;
  const withoutPublic = <P extends { training: RunSpec["server"]["training"] }>(party: P): P => ({
    ...party,
    training: { ...party.training, publicEpochs: 0 },
  });
  return { ...averaged, server: withoutPublic(spec.server), clients: spec.clients.map(withoutPublic) };
}

/** Whether clients' adapters are averaged anywhere in a run, in a variant if not in the run itself. */
export function averagesAnywhere(spec: RunSpec): boolean {
  return spec.aggregation === "fedavg" || variantsOf(spec).some((variant) => variant.startsWith("fedavg"));
}
