import { MAPPED, type VocabularyMap } from "../knowledge.ts";
import { TokenIndex } from "./token-index.ts";
import { counterpart, type TokenVocabulary } from "./token-roles.ts";

type Partition = Pick<VocabularyMap, "groupOfTarget" | "groups" | "groupOfSource">;

/**
 * Parts the target's tokens by the longest source token that is their prefix: a group is what the target may write where
 * the source writes that token. A target token that no source token begins is a group of its own; a special one belongs to
 * the source's token in its role.
 *
 * A source token's mass goes to the group it names, where that has members; else, the target being coarser there, to the
 * group of the target token it maps to by equality, role or prefix. By edit distance it goes nowhere under the rule
 * `product`: a group says how the text goes on, and a token that is merely spelt alike does not say it; under `min-edit`,
 * which knows nothing else, it goes to its nearest token's group.
 *
 * @param map - the tokens' own map, made by the same rule
 *
 * Time O(bytes of both vocabularies × the longest token).
 */
export function partitionByPrefix(
  source: TokenVocabulary,
  target: TokenVocabulary,
  map: Pick<VocabularyMap, "rule" | "targetOfSource" | "kind">,
): Partition {
  const sources = new TokenIndex(source.tokens);
  const groupOfName = new Map<number, number>();
  let groups = 0;
  const groupOfTarget = Int32Array.from(target.tokens, (bytes, id) => {
    const name = bytes === null ? counterpart(id, target.roles, source.roles) : sources.longestPrefix(bytes);
    if (name < 0) return groups++;
    if (!groupOfName.has(name)) groupOfName.set(name, groups++);
    return groupOfName.get(name)!;
  });
  const groupOfSource = Int32Array.from(source.tokens, (bytes, id) => {
    const named = groupOfName.get(bytes === null ? id : sources.equal(bytes));
    if (named !== undefined) return named;
    const mapped = map.targetOfSource[id];
    if (mapped < 0 || (map.kind[id] === MAPPED.edit && map.rule === "product")) return -1;
    return groupOfTarget[mapped];
  });
  return { groupOfTarget, groups, groupOfSource };
}
