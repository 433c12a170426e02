import { InvalidInputError } from "../core/errors.ts";

/**
 * A run is one experiment on one set of data; new data begin a new run.
 *
 * @param what - whose set, such as "client harbour: private"
 * @param expected - the hash that an earlier job of the run found; undefined: none has looked
 * @param seenIn - which one that was, such as "round 1"
 * @throws InvalidInputError `DATASET_CHANGED`
 */
export function refuseChangedSet(what: string, found: string, expected: string | undefined, seenIn: string): void {
  if (expected === undefined || found === expected) return;
  throw new InvalidInputError(
    "DATASET_CHANGED",
    `${what}: the samples are not those of ${seenIn} (SHA-256 ${expected}, now ${found}); put them back, or start a run under another name`,
  );
}
