import type { AlignedKnowledge, Knowledge, VocabularyMap } from "../knowledge.ts";
import { carryMass } from "./carry-mass.ts";
import { matchPositions, type Positions } from "./match-positions.ts";

/**
 * Translates a source's knowledge into a target's tokens and positions: where both have read exactly the same bytes
 * (see {@link matchPositions}), the source's next-token probabilities are carried over by the vocabulary map
 * (see {@link carryMass}). Elsewhere nothing is taught.
 *
 * @param learn - `group`: entries are the map's groups; `token`: the target's token ids
 * @throws InvalidInputError `SAMPLES_DIFFER`
 *
 * Time and memory O(tokens + E), E the source's entries.
 */
export function alignByByteOffset(
  source: Knowledge,
  target: Positions,
  map: VocabularyMap,
  learn: "group" | "token",
  temperature: number,
): AlignedKnowledge {
  return carryMass(source, target, matchPositions(source, target), map, { learn, temperature });
}
