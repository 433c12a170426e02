import { BitParallelDistance, LONGEST_PATTERN } from "./bit-parallel-distance.ts";
import { editDistance } from "./edit-distance.ts";

/** Distances between the tokens of two sequences, each pair of distinct strings once. */
export interface TokenDistances {
  /** [S] which distinct string each source token is */
  sourceKinds: Int32Array;
  /** [T] likewise */
  targetKinds: Int32Array;
  /** distinct target strings: a row of `distances` */
  columns: number;
  /** [distinct source × distinct target] Levenshtein distances in code points */
  distances: Int32Array;
}

/** More than any distance. */
const UNBOUNDED = 2 ** 30;

/**
 * The Levenshtein distance in code points of every source token to every target token.
 *
 * Time O(distinct pairs · code points of the target's string) where the source's has at most 32; memory 4 bytes a pair.
 */
export function tokenDistances(source: readonly string[], target: readonly string[]): TokenDistances {
  const letters = new Map<number, number>();
  const sources = spellDistinct(source, letters);
  const targets = spellDistinct(target, letters);
  const columns = targets.offsets.length - 1;
  const rows = sources.offsets.length - 1;
  const distances = new Int32Array(rows * columns);
  const lengths = Int32Array.from({ length: columns }, (_, kind) => targets.offsets[kind + 1] - targets.offsets[kind]);
  const pattern = new BitParallelDistance(letters.size);
  for (let kind = 0; kind < rows; kind++) {
    const from = sources.offsets[kind];
    const length = sources.offsets[kind + 1] - from;
    const letterBits = sources.letterBits[kind];
    const long = length > LONGEST_PATTERN;
    if (!long) pattern.setPattern(sources.characters, from, length);
    for (let column = 0; column < columns; column++) {
      let distance: number;
      // without a letter in common every letter of the longer is changed or added
      if ((letterBits & targets.letterBits[column]) === 0) distance = Math.max(length, lengths[column]);
      else if (long) distance = editDistance(spelling(sources, kind), spelling(targets, column));
      else distance = pattern.distanceTo(targets.characters, targets.offsets[column], lengths[column], UNBOUNDED);
      distances[kind * columns + column] = distance;
    }
  }
  return { sourceKinds: sources.kinds, targetKinds: targets.kinds, columns, distances };
}

/** A sequence's distinct strings, numbered by first occurrence. */
interface DistinctStrings {
  /** [tokens] */
  kinds: Int32Array;
  /** the strings' letters, one string after another; a letter is a code point's number by first occurrence, from 1 */
  characters: Int32Array;
  /** [kinds + 1] where each string begins there */
  offsets: Int32Array;
  /** [kinds] a bit for each letter of the string; several letters share one */
  letterBits: Int32Array;
}

function spellDistinct(tokens: readonly string[], letters: Map<number, number>): DistinctStrings {
  const numbers = new Map<string, number>();
  const characters: number[] = [];
  const offsets = [0];
  const letterBits: number[] = [];
  const kinds = new Int32Array(tokens.length);
  tokens.forEach((token, index) => {
    const known = numbers.get(token);
    if (known !== undefined) {
      kinds[index] = known;
      return;
    }
    kinds[index] = numbers.size;
    numbers.set(token, numbers.size);
    let bits = 0;
    for (const character of token) {
      const letter = numberOf(character.codePointAt(0)!, letters);
      characters.push(letter);
      bits |= 1 << (letter & 31);
    }
    offsets.push(characters.length);
    letterBits.push(bits);
  });
  return {
    kinds,
    characters: Int32Array.from(characters),
    offsets: Int32Array.from(offsets),
    letterBits: Int32Array.from(letterBits),
  };
}

function spelling({ characters, offsets }: DistinctStrings, kind: number): Int32Array {
  return characters.subarray(offsets[kind], offsets[kind + 1]);
}

function numberOf(point: number, letters: Map<number, number>): number {
  const known = letters.get(point);
  if (known !== undefined) return known;
  letters.set(point, letters.size + 1);
  return letters.size;
}
