import type { RegistryEntry } from "../../contracts/registry-entry.ts";
import { InvalidInputError } from "../../core/errors.ts";
import { type HeldBack, newestAcceptable } from "../../core/serving/newest-acceptable.ts";
import type { ReadEntry } from "./registry-places.ts";

/** Of one party, newest first: more of them say nothing new. */
const MAX_REFUSED = 16;

/** An adapter that is not served though it is newer than the one that is. */
export interface Refusal {
  one: ReadEntry;
  error: InvalidInputError;
}

/**
 * Chooses among one party's adapters.
 *
 * @param whyUnfit - an error where something else than the gate speaks against an adapter
 * @param tolerance - the gate's, bits per byte
 */
export function chooseAdapter(
  candidates: readonly ReadEntry[],
  whyUnfit: (one: ReadEntry) => InvalidInputError | null,
  tolerance: number,
): { accepted: ReadEntry | null; refused: Refusal[] } {
  const byAge = [...candidates].sort((one, other) => compareAge(one.entry, other.entry));
  const errors = new Map<ReadEntry, InvalidInputError>();
  const fitting = [];
  for (const one of byAge) {
    const error = whyUnfit(one);
    if (error === null) fitting.push({ one, losses: lossesOf(one.entry) });
    else errors.set(one, error);
  }
  const { accepted, heldBack } = newestAcceptable(fitting, tolerance);
  for (const held of heldBack) errors.set(held.adapter.one, worse(held, tolerance));
  const newer = accepted === null ? byAge : byAge.slice(byAge.indexOf(accepted.one) + 1);
  const refused = newer.map((one) => ({ one, error: errors.get(one)! }));
  return { accepted: accepted?.one ?? null, refused: refused.slice(-MAX_REFUSED) };
}

/** Entries without a time are older than all that have one; at the same time the name of the run decides. */
export function compareAge(one: RegistryEntry, other: RegistryEntry): number {
  const [age, otherAge] = [one.publishedAt ?? "", other.publishedAt ?? ""];
  if (age !== otherAge) return age < otherAge ? -1 : 1;
  return one.run < other.run ? -1 : one.run > other.run ? 1 : 0;
}

function lossesOf({ scores }: RegistryEntry): Map<string, number> {
  return new Map(scores.filter(({ metric }) => metric === "bits-per-byte").map(({ set, value }) => [set, value]));
}

function worse(
  { adapter, behind, sets, loss, lossBefore }: HeldBack<{ one: ReadEntry }>,
  tolerance: number,
): InvalidInputError {
  const { party, run } = adapter.one.entry;
  const over = sets === 1 ? "the set" : `the mean of the ${sets} sets`;
  return new InvalidInputError(
    "ADAPTER_WORSE",
    `${party}@${run}: expected at most ${(lossBefore + tolerance).toFixed(4)} bits per byte on ${over} that run ${behind.one.entry.run} was scored on too, got ${loss.toFixed(4)}`,
  );
}
