import type { RunSpec } from "./run-spec.ts";

/**
 * Baselines that are whole runs of their own: the same rounds with another spec. They come after the run's own rounds, under ids
 * that no spec can have, and take from the run what both have in common: maps, samples, and round 1's work before any transfer.
 */
export const VARIANTS = ["fedavg", "fedavg+public", "one-way"] as const;
export type Variant = (typeof VARIANTS)[number];

/** Between a run's name and a variant's. */
const SEPARATOR = "--";

/** The id under which a variant's jobs lie. @example variantRun("grain", "one-way") // "grain--one-way" */
export function variantRun(run: string, variant: Variant): string {
  return `${run}${SEPARATOR}${variant}`;
}

/** The variant's name; null of a run that a user started: no spec's name holds the separator. */
export function variantNameOf(id: string): Variant | null {
  return VARIANTS.find((variant) => id.endsWith(`${SEPARATOR}${variant}`)) ?? null;
}

/** The run that a user started, of a run's or a variant's id. */
export function mainRunOf(id: string): string {
  const variant = variantNameOf(id);
  return variant === null ? id : id.slice(0, -`${SEPARATOR}${variant}`.length);
}

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
