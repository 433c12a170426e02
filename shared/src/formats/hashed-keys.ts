import { createHash, timingSafeEqual } from "node:crypto";
import type { ApiKey, ApiKeys } from "../contracts/api-keys.ts";

/** A document's keys, ready to be compared with what is presented. */
export class HashedKeys {
  readonly #keys: readonly { holder: Omit<ApiKey, "sha256" | "expiresAt">; hash: Uint8Array; endMs: number }[];

  constructor({ keys }: ApiKeys) {
    this.#keys = keys.map(({ sha256, expiresAt, ...holder }) => ({
      holder,
      hash: Buffer.from(sha256, "hex"),
      endMs: expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(expiresAt),
    }));
  }

  /**
   * Compares SHA-256 of what was presented with every key's, each in constant time and none left out, so that how long it takes says
   * nothing about where one fits, or how far.
   *
   * @param nowMs - since 1970: a key that has ended is none
   */
  find(presented: string, nowMs: number): Omit<ApiKey, "sha256" | "expiresAt"> | null {
    const asked = createHash("sha256").update(presented).digest();
    let found: Omit<ApiKey, "sha256" | "expiresAt"> | null = null;
    for (const { holder, hash, endMs } of this.#keys) if (timingSafeEqual(hash, asked) && nowMs < endMs) found = holder;
    return found;
  }
}
