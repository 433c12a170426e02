import type { ApiKeys } from "../../contracts/api-keys.ts";
import { HashedKeys } from "../../formats/hashed-keys.ts";
import type { KeyChain } from "../../ports/key-chain.ts";

/** Keys that nobody changes while the process lives, such as one that was made for it. */
export function holdKeys(document: ApiKeys, nowMs: () => number = Date.now): KeyChain {
  const keys = new HashedKeys(document);
  return { find: (presented) => keys.find(presented, nowMs()) };
}
