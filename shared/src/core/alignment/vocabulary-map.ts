import { MAPPED, type VocabularyMap } from "../knowledge.ts";
import { codePointsOf } from "./code-points.ts";
import { partitionByPrefix } from "./group-partition.ts";
import { prepareNearestToken } from "./nearest-token.ts";
import { TokenIndex } from "./token-index.ts";
import { counterpart, type TokenVocabulary } from "./token-roles.ts";

/**
 * Maps every source token to a target token, on the bytes they stand for.
 *
 * `product`: the token of equal bytes; else the longest target token that the source token begins with; else the one at the
 * least edit distance (MinED). `min-edit`, the paper: equal, else MinED. Among target tokens of equal bytes or equal
 * distance the lowest id is taken of those that the target's tokenizer writes. Distances count code points (see {@link codePointsOf} for what is no UTF-8).
 * A special token maps to the target's token in its role (EOS before BOS, unknown, padding), and nowhere where there is
 * none: it stands for no text, so no text is near it.
 *
 * @returns the map, with the target's groups (see {@link partitionByPrefix})
 *
 * Time O(V · W) in the worst case of MinED; the 50,257 tokens of GPT-2 to the 32,000 of LLaMA-2 by `min-edit`, seconds.
 * @see Fan et al., "FedMKT", COLING 2025, appendix B
 */
export function mapVocabulary(
  source: TokenVocabulary,
  target: TokenVocabulary,
  rule: VocabularyMap["rule"],
): VocabularyMap {
  const written = target.tokens.map((bytes, id) => (target.unwritten?.has(id) ? null : bytes));
  const targets = new TokenIndex(written);
  const findNearest = prepareNearestToken(written);
  const targetOfSource = new Int32Array(source.tokens.length).fill(-1);
  const kind = new Uint8Array(source.tokens.length).fill(MAPPED.nowhere);
  const distance = new Int32Array(source.tokens.length);
  const put = (id: number, found: number, how: number) => {
    if (found < 0) return false;
    targetOfSource[id] = found;
    kind[id] = how;
    return true;
  };
  source.tokens.forEach((bytes, id) => {
    if (bytes === null) {
      put(id, counterpart(id, source.roles, target.roles), MAPPED.role);
      return;
    }
    if (put(id, targets.equal(bytes), MAPPED.equal)) return;
    if (rule === "product" && put(id, targets.longestPrefix(bytes), MAPPED.prefix)) return;
    const nearest = findNearest(codePointsOf(bytes));
    if (nearest !== null && put(id, nearest.id, MAPPED.edit)) distance[id] = nearest.distance;
  });
  const map = { rule, targetOfSource, kind, distance };
  return { ...map, ...partitionByPrefix(source, target, map) };
}
