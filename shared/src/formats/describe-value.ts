import { closestName } from "../contracts/closest-name.ts";

/**
 * A value of a data record as it may stand in an error message: by kind and size, never by content. Data is private to its
 * party, and messages go far: into the state machine's history, a run's status, logs.
 *
 * @example `text of 84 characters`, `a list of 3`, `an object with 2 keys`, `a number`, `nothing`
 */
export function describeValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (typeof value === "string") return value === "" ? "empty text" : `text of ${count(value.length, "character")}`;
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (typeof value === "object") return `an object with ${count(Object.keys(value).length, "key")}`;
  return `a ${typeof value}`;
}

/** A slip in writing one of our keys is no longer than this and holds nothing but a name's characters. */
const SLIP = /^[A-Za-z_][A-Za-z0-9_-]{0,15}$/;

/**
 * The unknown keys of a data record, for an error message. A key may be data too (a record by patient): it is named only where
 * it is plainly a slip for a known key, else counted.
 *
 * @example `unknown key "promt": did you mean "prompt"?`, `2 unknown keys`
 */
export function describeUnknownKeys(unknown: readonly string[], known: readonly string[]): string {
  for (const key of unknown) {
    const closest = SLIP.test(key) ? closestName(key, known) : null;
    if (closest !== null) return `unknown key "${key}": did you mean "${closest}"?`;
  }
  return count(unknown.length, "unknown key");
}

function count(amount: number, what: string): string {
  return `${amount} ${what}${amount === 1 ? "" : "s"}`;
}
