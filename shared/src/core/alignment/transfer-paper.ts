import type { Knowledge, VocabularyMap } from "../knowledge.ts";
import type { CarriedPositions } from "./carry-mass.ts";
import { alignSamples, type Vocabularies } from "./match-blocks.ts";
import { type MatchedPositions, matchPositions } from "./match-positions.ts";
import type { AlignmentStrategy } from "./sequence-alignment.ts";

/**
 * What each of the target's positions learns in the paper's way: where its token ends a block, what the source says after the
 * block's last token, if the two have read the same bytes, are spelt the same (boundary marks apart) or are mapped on each
 * other; elsewhere the label, the next token.
 *
 * The reference has it otherwise, by slips: its labels are the current token, and of a block of several tokens each is looked
 * at by itself.
 *
 * @param labels - whether a position that nothing is transferred to learns its label, or nothing
 * @throws InvalidInputError `SAMPLES_DIFFER`, `SEQUENCES_TOO_LONG`
 * @see Fan et al., "FedMKT", COLING 2025, section 3.3 and appendix B
 */
export function pairAsPaper(
  source: Knowledge,
  target: Knowledge,
  map: VocabularyMap,
  strategy: AlignmentStrategy,
  vocabularies: Vocabularies,
  labels: boolean,
): CarriedPositions {
  const donors = donorsByBytes(target, matchPositions(source, target));
  if (strategy !== "byte-offset") {
    for (const aligned of alignSamples(source, target, strategy, vocabularies)) {
      aligned.target.rows.forEach((row, token) => {
        if (row < 0) return;
        const from = aligned.donors[token];
        const sameBytes = donors[row] >= 0 && source.positions[donors[row]] === from;
        const isTransferred =
          from >= 0 &&
          (sameBytes ||
            aligned.source.strings[from] === aligned.target.strings[token] ||
            map.targetOfSource[aligned.source.ids[from]] === aligned.target.ids[token]);
        donors[row] = isTransferred ? aligned.source.rows[from] : -1;
      });
    }
  }
  return taughtRows(target, donors, labels);
}

/** [P of the target] the source's position of equal bytes, −1 where there is none */
function donorsByBytes(target: Knowledge, matched: MatchedPositions): Int32Array {
  const donors = new Int32Array(target.positions.length).fill(-1);
  matched.target.forEach((row, pair) => {
    donors[row] = matched.source[pair];
  });
  return donors;
}

/** Every position with its donor, or, with labels, with its next token; a text's last position has neither. */
function taughtRows(target: Knowledge, donors: Int32Array, areLabelled: boolean): CarriedPositions {
  const { tokenOffsets, tokenIds, positionOffsets, positions } = target;
  const offsets = new Int32Array(positionOffsets.length);
  const kept: number[] = [];
  const labels: number[] = [];
  for (let sample = 0; sample + 1 < positionOffsets.length; sample++) {
    for (let row = positionOffsets[sample]; row < positionOffsets[sample + 1]; row++) {
      const next = tokenOffsets[sample] + positions[row] + 1;
      const hasNext = next < tokenOffsets[sample + 1];
      if (donors[row] < 0 && !(areLabelled && hasNext)) continue;
      kept.push(row);
      labels.push(hasNext ? tokenIds[next] : -1);
    }
    offsets[sample + 1] = kept.length;
  }
  return {
    offsets,
    target: Int32Array.from(kept),
    source: Int32Array.from(kept, (row) => donors[row]),
    labels: Int32Array.from(labels),
  };
}
