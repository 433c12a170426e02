import type { ApiKey, ApiKeys } from "@fedmkt/shared/contracts/api-keys.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";

/** What a key's holder may do, and until when. */
export type KeyLimits = Omit<ApiKey, "id" | "sha256">;

/** @throws InvalidInputError `KEY_EXISTS` */
export function addKey(document: ApiKeys, key: ApiKey, place: string): ApiKeys {
  if (document.keys.some(({ id }) => id === key.id))
    throw new InvalidInputError(
      "KEY_EXISTS",
      `${place}: expected a new id, ${key.id} has a key; fedmkt keys rotate gives it another one`,
    );
  return { ...document, keys: [...document.keys, key] };
}

/**
 * Gives a holder another key with the limits of the newest one. Those before end after the overlap, or when they would have ended
 * anyway; what has ended goes.
 * @param changes - what is to be otherwise with the new one
 * @throws InvalidInputError `KEY_UNKNOWN`
 */
export function rotateKey(
  document: ApiKeys,
  {
    id,
    sha256,
    nowMs,
    overlapMs,
    changes,
  }: { id: string; sha256: string; nowMs: number; overlapMs: number; changes: KeyLimits },
  place: string,
): ApiKeys {
  const held = requireKeys(document, id, place);
  const { expiresAt: _, ...limits } = held.at(-1)!;
  const endMs = nowMs + overlapMs;
  const keys = document.keys
    .map((key) => (key.id === id ? { ...key, expiresAt: new Date(Math.min(endMs, endOf(key))).toISOString() } : key))
    .filter((key) => key.id !== id || endOf(key) > nowMs);
  return { ...document, keys: [...keys, { ...limits, ...changes, sha256 }] };
}

/** Takes every key of a holder away. @throws InvalidInputError `KEY_UNKNOWN` */
export function removeKey(document: ApiKeys, id: string, place: string): ApiKeys {
  requireKeys(document, id, place);
  return { ...document, keys: document.keys.filter((key) => key.id !== id) };
}

/** Milliseconds since the epoch; infinite where it never ends. */
export function endOf({ expiresAt }: Pick<ApiKey, "expiresAt">): number {
  return expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(expiresAt);
}

function requireKeys({ keys }: ApiKeys, id: string, place: string): ApiKey[] {
  const held = keys.filter((key) => key.id === id);
  if (held.length > 0) return held;
  const ids = [...new Set(keys.map((key) => key.id))];
  throw new InvalidInputError(
    "KEY_UNKNOWN",
    `${place}: expected one of its ids (${ids.length === 0 ? "there is none yet" : ids.join(", ")}), got ${id}`,
  );
}
