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
  /** Ends what follows changes. */
  close(): void;
}
