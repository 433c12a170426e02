import { MAPPED } from "../knowledge.ts";
import { tableOfBytes } from "./character-table.ts";
import { TokenIndex } from "./token-index.ts";
import type { TokenMap, Unmatched } from "./token-map.ts";
import { counterpart, type TokenVocabulary } from "./token-roles.ts";

/**
 * Maps tokens by the bytes they stand for as far as no edit distance is needed: special tokens to those in their role, else
 * the token of equal bytes, by the rule `product` else the longest that the source token begins with.
 *
 * @param map - its rule is `product` or `min-edit`; what is found is written into it
 * @param only - the source ids to map
 */
export function matchBytes(
  source: TokenVocabulary,
  target: TokenVocabulary,
  map: TokenMap,
  only: ReadonlySet<number> | undefined,
): Unmatched {
  const written = target.tokens.map((bytes, id) => (target.unwritten?.has(id) ? null : bytes));
  const targets = new TokenIndex(written);
  const put = (id: number, found: number, kind: number) => {
    if (found < 0) return false;
    map.targetOfSource[id] = found;
    map.kind[id] = kind;
    return true;
  };
  const sourceIds: number[] = [];
  const missing: Uint8Array[] = [];
  source.tokens.forEach((bytes, id) => {
    if (only?.has(id) === false) return;
    if (bytes === null) {
      put(id, counterpart(id, source.roles, target.roles), MAPPED.role);
      return;
    }
    if (put(id, targets.equal(bytes), MAPPED.equal)) return;
    if (map.rule === "product" && put(id, targets.longestPrefix(bytes), MAPPED.prefix)) return;
    sourceIds.push(id);
    missing.push(bytes);
  });
  const targetIds: number[] = [];
  const present: Uint8Array[] = [];
  written.forEach((bytes, id) => {
    if (bytes === null) return;
    targetIds.push(id);
    present.push(bytes);
  });
  return { sourceIds, sources: tableOfBytes(missing), targetIds, targets: tableOfBytes(present) };
}
