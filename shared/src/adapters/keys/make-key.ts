import { randomBytes } from "node:crypto";
import { sha256 } from "../../formats/sha256.ts";

const KEY_BYTES = 32;

/** @returns a key of 256 random bits, which is shown once, and what is kept of it */
export function makeKey(): { key: string; sha256: string } {
  const key = `fedmkt-${randomBytes(KEY_BYTES).toString("base64url")}`;
  return { key, sha256: sha256(key) };
}
