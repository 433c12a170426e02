import type { ApiKey } from "../contracts/api-keys.ts";

/** Whoever asks, as their key says. */
export type KeyHolder = Omit<ApiKey, "sha256" | "expiresAt">;

/** The keys that hold just now. */
export interface KeyChain {
  /**
   * Compares with every key in constant time.
   * @param key - as it was presented, of any form
   * @returns null where no key that holds is equal
   */
  find(key: string): KeyHolder | null;
}

/** Keys whose place may change. */
export interface FollowedKeys extends KeyChain {
  /**
   * Looks whether they have, and takes them up; what cannot be read leaves those that were read before. Never rejects.
   * @param signal - after it nothing is taken up, and nothing is told
   */
  look(signal: AbortSignal): Promise<void>;
}
