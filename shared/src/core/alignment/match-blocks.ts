import type { Knowledge } from "../knowledge.ts";
import { type MatchedPositions, matchPositions } from "./match-positions.ts";
import type { SampleTokens } from "./sample-tokens.ts";
import { sampleTokens } from "./sample-tokens.ts";
import { type AlignmentStrategy, alignSequences, blocksOf } from "./sequence-alignment.ts";
import { type TokenStrings, tokenSpeller } from "./token-strings.ts";

export interface Vocabularies {
  source: TokenStrings;
  target: TokenStrings;
}

/** Whose last source token is whose last target token's, by blocks; both sides' tokens with it. */
export interface SampleBlocks {
  source: SampleTokens;
  target: SampleTokens;
  /** [T] the last source token of the block whose last target token this is; −1: of none */
  donors: Int32Array;
}

/** Aligns sample after sample by `dtw` or `greedy-dp`, on the tokens' strings without boundary marks. */
export function* alignSamples(
  source: Knowledge,
  target: Knowledge,
  strategy: Exclude<AlignmentStrategy, "byte-offset">,
  vocabularies: Vocabularies,
): Generator<SampleBlocks> {
  const spellSource = tokenSpeller(vocabularies.source, "");
  const spellTarget = tokenSpeller(vocabularies.target, "");
  for (let sample = 0; sample + 1 < target.tokenOffsets.length; sample++) {
    const from = sampleTokens(source, sample, spellSource);
    const to = sampleTokens(target, sample, spellTarget);
    const donors = new Int32Array(to.ids.length).fill(-1);
    for (const block of blocksOf(alignSequences(strategy, from, to))) donors[block.target[1]] = block.source[1];
    yield { source: from, target: to, donors };
  }
}

/**
 * The pairs of {@link matchPositions} that end a block of the alignment together: its last source token and its last target
 * token, where both have read exactly the same bytes.
 *
 * @throws InvalidInputError `SAMPLES_DIFFER`, `SEQUENCES_TOO_LONG`
 */
export function matchBlocks(
  source: Knowledge,
  target: Knowledge,
  strategy: AlignmentStrategy,
  vocabularies: Vocabularies,
): MatchedPositions {
  const matched = matchPositions(source, target);
  if (strategy === "byte-offset") return matched;
  const kept: MatchedPositions = {
    offsets: new Int32Array(matched.offsets.length),
    source: new Int32Array(matched.source.length),
    target: new Int32Array(matched.target.length),
  };
  let pairs = 0;
  let sample = 0;
  for (const { donors } of alignSamples(source, target, strategy, vocabularies)) {
    for (let pair = matched.offsets[sample]; pair < matched.offsets[sample + 1]; pair++) {
      const [from, to] = [matched.source[pair], matched.target[pair]];
      if (donors[target.positions[to]] !== source.positions[from]) continue;
      kept.source[pairs] = from;
      kept.target[pairs] = to;
      pairs++;
    }
    sample++;
    kept.offsets[sample] = pairs;
  }
  return { ...kept, source: kept.source.subarray(0, pairs), target: kept.target.subarray(0, pairs) };
}
