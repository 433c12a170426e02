import { isWorse } from "../evaluation/judge-round.ts";

/** A published adapter as the gate sees it. */
export interface ScoredAdapter {
  /** bits per byte by held-out set; none where it was scored on no set of texts */
  losses: ReadonlyMap<string, number>;
}

/** An adapter that the gate holds back. Losses are means over the sets that both were scored on, bits per byte. */
export interface HeldBack<A> {
  adapter: A;
  /** the one whose place it would have taken */
  behind: A;
  sets: number;
  loss: number;
  lossBefore: number;
}

/**
 * Which of one party's adapters is to be served. Each takes the place of the one before it, unless it is worse by more than the
 * tolerance: by the mean over the sets that both were scored on. Where they share none, nothing speaks against the newer one. The answer
 * follows from the adapters that there are alone, not from when somebody looked: without one of them it is what it would be had that never been.
 *
 * @param adapters - oldest first
 * @param tolerance - bits per byte, ≥ 0
 * @example without a set in common the newest is taken: newestAcceptable([old, young], 0).accepted === young
 */
export function newestAcceptable<A extends ScoredAdapter>(
  adapters: readonly A[],
  tolerance: number,
): { accepted: A | null; heldBack: HeldBack<A>[] } {
  let accepted: A | null = null;
  const heldBack: HeldBack<A>[] = [];
  for (const adapter of adapters) {
    const found = accepted === null ? null : compare(adapter, accepted);
    if (found !== null && isWorse({ before: found.lossBefore, after: found.loss, tolerance }))
      heldBack.push({ adapter, behind: accepted!, ...found });
    else accepted = adapter;
  }
  return { accepted, heldBack };
}

/** @returns null where the two share no set */
function compare(
  { losses }: ScoredAdapter,
  before: ScoredAdapter,
): { sets: number; loss: number; lossBefore: number } | null {
  const shared = [...losses.keys()].filter((set) => before.losses.has(set));
  if (shared.length === 0) return null;
  const mean = (of: ReadonlyMap<string, number>) => shared.reduce((sum, set) => sum + of.get(set)!, 0) / shared.length;
  return { sets: shared.length, loss: mean(losses), lossBefore: mean(before.losses) };
}
