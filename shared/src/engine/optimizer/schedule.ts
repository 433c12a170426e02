/** Learning rate by step, counted from 0. */
export type Schedule = (step: number) => number;

/**
 * transformers' get_{constant,linear,cosine}_schedule_with_warmup: up linearly from 0 over ⌈steps × warmupRatio⌉ steps, then
 * constant, or down to 0 at `steps`, linearly or by half a cosine. With warm-up the very first step has rate 0.
 *
 * Unlike there, the warm-up leaves at least one step at the peak: a phase of a single step would else have rate 0 and learn
 * nothing, and a schedule is made anew for each phase of each round, so short phases are no rarity.
 */
export function createSchedule(
  kind: "constant" | "linear" | "cosine",
  peak: number,
  steps: number,
  warmupRatio: number,
): Schedule {
  const warmup = Math.min(Math.ceil(steps * warmupRatio), Math.max(0, steps - 1));
  return (step) => {
    if (step < warmup) return (peak * step) / Math.max(1, warmup);
    if (kind === "constant") return peak;
    const passed = (step - warmup) / Math.max(1, steps - warmup);
    if (kind === "linear") return peak * Math.max(0, 1 - passed);
    return peak * Math.max(0, 0.5 * (1 + Math.cos(Math.PI * passed)));
  };
}
