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
