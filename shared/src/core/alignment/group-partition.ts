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
  /** by a group's name, a source token; −1: names none */
  const groupOfName = new Int32Array(source.tokens.length).fill(-1);
  const groupOfTarget = new Int32Array(target.tokens.length);
  let groups = 0;
  target.tokens.forEach((bytes, id) => {
    const name = bytes === null ? counterpart(id, target.roles, source.roles) : sources.longestPrefix(bytes);
    if (name < 0) groupOfTarget[id] = groups++;
    else {
      if (groupOfName[name] < 0) groupOfName[name] = groups++;
      groupOfTarget[id] = groupOfName[name];
    }
  });
  const groupOfSource = new Int32Array(source.tokens.length).fill(-1);
  source.tokens.forEach((bytes, id) => {
    const named = groupOfName[bytes === null ? id : sources.lowest[id]];
    const mapped = map.targetOfSource[id];
    if (named >= 0) groupOfSource[id] = named;
    else if (mapped >= 0 && (map.kind[id] !== MAPPED.edit || map.rule !== "product"))
      groupOfSource[id] = groupOfTarget[mapped];
  });
  return { groupOfTarget, groups, groupOfSource };
}
