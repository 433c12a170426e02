import { MAPPED, type VocabularyMap } from "../knowledge.ts";
import { partitionByPrefix } from "./group-partition.ts";
import { matchBytes } from "./match-bytes.ts";
import { matchStrings } from "./match-strings.ts";
import { findNearest } from "./nearest-token.ts";
import type { TokenMap } from "./token-map.ts";
import type { TokenVocabulary } from "./token-roles.ts";

export interface MapOptions {
  /** the source ids that are mapped; others go nowhere. Without it all are */
  only?: ReadonlySet<number>;
  /** called now and then while edit distances are sought, with how many of the tokens that need one have it */
  report?: (done: number, of: number) => void;
  /** called for every token that is mapped by edit distance, with all target ids at that distance, ascending */
  takeTies?: (source: number, targets: readonly number[]) => void;
}

/**
 * Maps every source token to a target token.
 *
 * `product`, on the bytes that tokens stand for: the token of equal bytes; else the longest target token that the source token
 * begins with; else the one at the least edit distance (MinED). `min-edit`, the paper: equal, else MinED. Among target tokens
 * of equal bytes or equal distance the lowest id is taken of those that the target's tokenizer writes. Distances count code
 * points (see `codePointsOf` for what is no UTF-8). A special token maps to the target's token in its role (EOS before BOS,
 * unknown, padding), and nowhere where there is none: it stands for no text, so no text is near it.
 *
 * `reference`, FATE-LLM's: equal, else MinED, on the strings of tokenizer.json (see {@link matchStrings}).
 *
 * @returns the map, with the target's groups (see {@link partitionByPrefix})
 *
 * The 50,257 tokens of GPT-2 to the 32,000 of Mistral take about half a second: see {@link findNearest}.
 * @see Fan et al., "FedMKT", COLING 2025, appendix B
 */
export function mapVocabulary(
  source: TokenVocabulary,
  target: TokenVocabulary,
  rule: VocabularyMap["rule"],
  { only, report, takeTies }: MapOptions = {},
): VocabularyMap {
  const map: TokenMap = {
    rule,
    targetOfSource: new Int32Array(source.tokens.length).fill(-1),
    kind: new Uint8Array(source.tokens.length).fill(MAPPED.nowhere),
    distance: new Int32Array(source.tokens.length),
  };
  const match = rule === "reference" ? matchStrings : matchBytes;
  const { sourceIds, sources, targetIds, targets } = match(source, target, map, only);
  const nearest = findNearest(sources, targets, { ties: takeTies !== undefined, report });
  sourceIds.forEach((id, row) => {
    if (nearest.rows[row] < 0) return;
    map.targetOfSource[id] = targetIds[nearest.rows[row]];
    map.kind[id] = MAPPED.edit;
    map.distance[id] = nearest.distances[row];
    takeTies?.(
      id,
      nearest.ties![row].map((target) => targetIds[target]),
    );
  });
  const partition = partitionByPrefix(source, target, map);
  if (only !== undefined)
    for (let id = 0; id < map.kind.length; id++) if (!only.has(id)) partition.groupOfSource[id] = -1;
  return { ...map, ...partition };
}
