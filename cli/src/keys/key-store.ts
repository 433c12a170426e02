import type { ApiKeys } from "@fedmkt/shared/contracts/api-keys.ts";

/** Where the hashes of an endpoint's keys stand, as an operator changes them. */
export interface KeyStore {
  /** as people know the place */
  readonly place: string;
  read(): Promise<ApiKeys>;
  /**
   * Writes what becomes of the document, all of it or nothing.
   * @throws InvalidInputError `KEYS_IN_USE` where somebody else changes it at the same time
   */
  change(update: (keys: ApiKeys) => ApiKeys): Promise<void>;
}
