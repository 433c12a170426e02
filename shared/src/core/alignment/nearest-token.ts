import { codePointsOf } from "./code-points.ts";
import { editDistance } from "./edit-distance.ts";

export interface NearestToken {
  id: number;
  distance: number;
}

/** Longest pattern that fits one machine word of the bit-parallel algorithm. */
const WORD = 32;

/** Target tokens of one length. */
interface Bucket {
  ids: number[];
  /** which of 32 classes of characters occur, one bit each */
  classes: number[];
  characters: Int32Array[];
}

/**
 * Prepares the search for the target token at the least edit distance (MinED), ties to the lowest id.
 *
 * Candidates are taken by difference in length, outwards, until that alone exceeds the best; those whose characters differ
 * too much are passed over; the rest is measured by Myers' bit-parallel algorithm with a bound. Exact, whatever is skipped.
 *
 * @param tokens - [W] bytes by id; null (special tokens, holes) is never found
 * @returns a search over code points; null where there is no token at all
 *
 * Time of a search: O(W) in the worst case, times the token's length where the filters do not help.
 * @see G. Myers, "A fast bit-vector algorithm for approximate string matching", 1999
 */
export function prepareNearestToken(
  tokens: readonly (Uint8Array | null)[],
): (codePoints: Int32Array) => NearestToken | null {
  const alphabet = new Map<number, number>();
  const buckets: (Bucket | undefined)[] = [];
  tokens.forEach((bytes, id) => {
    if (bytes === null) return;
    const characters = codePointsOf(bytes).map((point) => {
      if (!alphabet.has(point)) alphabet.set(point, alphabet.size);
      return alphabet.get(point)!;
    });
    buckets[characters.length] ??= { ids: [], classes: [], characters: [] };
    const bucket = buckets[characters.length]!;
    bucket.ids.push(id);
    bucket.classes.push(classesOf(characters));
    bucket.characters.push(characters);
  });
  const places = new Int32Array(alphabet.size + 1);
  const unknown = alphabet.size;

  return (codePoints) => {
    const pattern = codePoints.map((point) => alphabet.get(point) ?? unknown);
    const length = pattern.length;
    const classes = classesOf(pattern, unknown);
    const unknowns = pattern.reduce((sum, character) => sum + (character === unknown ? 1 : 0), 0);
    // An unknown character equals nothing, so its place in the pattern is marked for no character of the targets.
    if (length <= WORD)
      for (let index = 0; index < length; index++) if (pattern[index] !== unknown) places[pattern[index]] |= 1 << index;

    let id = -1;
    let distance = Number.POSITIVE_INFINITY;
    const visit = (bucket: Bucket | undefined) => {
      if (bucket === undefined) return;
      for (let index = 0; index < bucket.ids.length; index++) {
        // A later id must be nearer, an earlier one may tie.
        const bound = bucket.ids[index] < id ? distance : distance - 1;
        const theirs = bucket.classes[index];
        if (bitCount(classes & ~theirs) + unknowns > bound || bitCount(theirs & ~classes) > bound) continue;
        const found =
          length <= WORD
            ? boundedByBits(places, length, bucket.characters[index], bound)
            : editDistance(pattern, bucket.characters[index], bound);
        if (found <= bound) {
          distance = found;
          id = bucket.ids[index];
        }
      }
    };
    for (let difference = 0; difference <= distance; difference++) {
      if (length - difference < 0 && length + difference >= buckets.length) break;
      visit(buckets[length - difference]);
      if (difference > 0) visit(buckets[length + difference]);
    }
    if (length <= WORD) for (const character of pattern) places[character] = 0;
    return id < 0 ? null : { id, distance };
  };
}

/**
 * Myers' algorithm for the distance between whole strings: a column of the table is one word of vertical differences.
 * @param places - for each character the set of its places in the pattern
 * @returns the distance, or more than the bound
 */
function boundedByBits(places: Int32Array, length: number, text: Int32Array, bound: number): number {
  if (length === 0) return text.length;
  const last = 1 << (length - 1);
  let positive = -1;
  let negative = 0;
  let distance = length;
  for (let index = 0; index < text.length; index++) {
    const equal = places[text[index]];
    const vertical = equal | negative;
    const horizontal = (((equal & positive) + positive) ^ positive) | equal;
    let up = negative | ~(horizontal | positive);
    let down = positive & horizontal;
    if (up & last) distance++;
    else if (down & last) distance--;
    if (distance - (text.length - 1 - index) > bound) return distance;
    up = (up << 1) | 1;
    down <<= 1;
    positive = down | ~(vertical | up);
    negative = up & vertical;
  }
  return distance;
}

function classesOf(characters: Int32Array, except = -1): number {
  let classes = 0;
  for (const character of characters) if (character !== except) classes |= 1 << (character & 31);
  return classes;
}

function bitCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  bits = (bits + (bits >>> 4)) & 0x0f0f0f0f;
  bits += bits >>> 8;
  return (bits + (bits >>> 16)) & 0x3f;
}
