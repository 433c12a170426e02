import { InvalidInputError } from "../errors.ts";
import type { Knowledge } from "../knowledge.ts";
import { formatSampleId, SAMPLE_ID_BYTES } from "../samples/sample.ts";

/** Where a party's positions lie in the text, without what it knows there. */
export type Positions = Pick<Knowledge, "sampleIds" | "tokenOffsets" | "tokenEnds" | "positionOffsets" | "positions">;

/** The answer positions at which two models have read exactly the same bytes. A pairs. */
export interface MatchedPositions {
  /** [S + 1] where each sample's pairs begin */
  offsets: Int32Array;
  /** [A] index into the source's positions */
  source: Int32Array;
  /** [A] index into the target's positions */
  target: Int32Array;
}

/**
 * Pairs the answer positions of two tokenisations of the same samples whose prefixes end at the same byte.
 *
 * Where several tokens of one side end at the same byte, only the last of them counts: then everything up to that byte has
 * been read, and what follows is the text after it on both sides. A position counts only where both sides learn what
 * follows; the last byte of a completion is followed by EOS on both, that of a text by nothing.
 *
 * @throws InvalidInputError `SAMPLES_DIFFER` where ids differ or a sample's tokens end at different bytes
 *
 * Time O(positions of both).
 */
export function matchPositions(source: Positions, target: Positions): MatchedPositions {
  const samples = source.sampleIds.length / SAMPLE_ID_BYTES;
  checkSameSamples(source, target);
  const most = Math.min(source.positions.length, target.positions.length);
  const matched: MatchedPositions = {
    offsets: new Int32Array(samples + 1),
    source: new Int32Array(most),
    target: new Int32Array(most),
  };
  let pairs = 0;
  for (let sample = 0; sample < samples; sample++) {
    const sourceStop = source.positionOffsets[sample + 1];
    let sourcePosition = source.positionOffsets[sample];
    for (let position = target.positionOffsets[sample]; position < target.positionOffsets[sample + 1]; position++) {
      const end = endAt(target, sample, position);
      if (!isLastAtItsEnd(target, sample, position)) continue;
      while (
        sourcePosition < sourceStop &&
        (endAt(source, sample, sourcePosition) < end || !isLastAtItsEnd(source, sample, sourcePosition))
      )
        sourcePosition++;
      if (sourcePosition === sourceStop) break;
      if (endAt(source, sample, sourcePosition) !== end) continue;
      matched.source[pairs] = sourcePosition;
      matched.target[pairs] = position;
      pairs++;
    }
    matched.offsets[sample + 1] = pairs;
  }
  matched.source = matched.source.subarray(0, pairs);
  matched.target = matched.target.subarray(0, pairs);
  return matched;
}

function endAt(side: Positions, sample: number, position: number): number {
  return side.tokenEnds[side.tokenOffsets[sample] + side.positions[position]];
}

/** Whether the next token, if it is not the sample's last (after which nothing is predicted), ends further on. */
function isLastAtItsEnd(side: Positions, sample: number, position: number): boolean {
  const token = side.tokenOffsets[sample] + side.positions[position];
  return token + 2 >= side.tokenOffsets[sample + 1] || side.tokenEnds[token + 1] !== side.tokenEnds[token];
}

/** @throws InvalidInputError `SAMPLES_DIFFER` where ids differ or a sample's tokens end at different bytes */
export function checkSameSamples(source: Positions, target: Positions): void {
  const samples = source.sampleIds.length / SAMPLE_ID_BYTES;
  if (source.sampleIds.length !== target.sampleIds.length)
    throw new InvalidInputError(
      "SAMPLES_DIFFER",
      `expected the target's ${target.sampleIds.length / SAMPLE_ID_BYTES} samples, got ${samples} of the source`,
    );
  for (let sample = 0; sample < samples; sample++) {
    const from = sample * SAMPLE_ID_BYTES;
    for (let byte = from; byte < from + SAMPLE_ID_BYTES; byte++)
      if (source.sampleIds[byte] !== target.sampleIds[byte])
        throw new InvalidInputError(
          "SAMPLES_DIFFER",
          `sample ${sample}: expected the target's ${idAt(target, sample)}, got the source's ${idAt(source, sample)}`,
        );
    const [read, expected] = [lastEnd(source, sample), lastEnd(target, sample)];
    if (read !== expected)
      throw new InvalidInputError(
        "SAMPLES_DIFFER",
        `sample ${idAt(target, sample)}: expected the source's tokens to end at byte ${expected}, as the target's, got ${read}`,
      );
  }
}

function lastEnd(side: Positions, sample: number): number {
  return side.tokenEnds[side.tokenOffsets[sample + 1] - 1];
}

function idAt(side: Positions, sample: number): string {
  return formatSampleId(side.sampleIds.subarray(sample * SAMPLE_ID_BYTES, (sample + 1) * SAMPLE_ID_BYTES));
}
