import type { Knowledge } from "../knowledge.ts";
import type { TokenSequence } from "./sequence-alignment.ts";
import type { SpellToken } from "./token-strings.ts";

/** One sample of a party's shard. T tokens, BOS first. */
export interface SampleTokens extends TokenSequence {
  /** [T] */
  ids: Int32Array;
  ends: Int32Array;
  /** [T] index into the shard's positions, −1 for tokens after which nothing is known */
  rows: Int32Array;
}

/** @param spell - strings without boundary marks */
export function sampleTokens(knowledge: Knowledge, sample: number, spell: SpellToken): SampleTokens {
  const { tokenOffsets, tokenIds, tokenEnds, positionOffsets, positions } = knowledge;
  const ids = tokenIds.subarray(tokenOffsets[sample], tokenOffsets[sample + 1]);
  const rows = new Int32Array(ids.length).fill(-1);
  for (let row = positionOffsets[sample]; row < positionOffsets[sample + 1]; row++) rows[positions[row]] = row;
  return {
    ids,
    ends: tokenEnds.subarray(tokenOffsets[sample], tokenOffsets[sample + 1]),
    rows,
    strings: Array.from(ids, spell),
  };
}
