/** Longest pattern that fits one machine word. */
export const LONGEST_PATTERN = 32;

/**
 * Levenshtein distances from one pattern of at most {@link LONGEST_PATTERN} characters to many texts: Myers' algorithm, which
 * keeps a column of the table as one word of vertical differences.
 *
 * @see G. Myers, "A fast bit-vector algorithm for approximate string matching", 1999
 */
export class BitParallelDistance {
  /** for each character the set of its places in the pattern */
  readonly #places: Int32Array;
  #pattern: Int32Array = new Int32Array(0);
  #from = 0;
  #length = 0;

  /** @param characters - characters are numbers up to this; 0 equals nothing, itself neither */
  constructor(characters: number) {
    this.#places = new Int32Array(characters + 1);
  }

  setPattern(characters: Int32Array, from: number, length: number): void {
    const places = this.#places;
    const old = this.#pattern;
    for (let index = 0; index < this.#length; index++) places[old[this.#from + index]] = 0;
    this.#pattern = characters;
    this.#from = from;
    this.#length = length;
    for (let index = 0; index < length; index++) places[characters[from + index]] |= 1 << index;
    places[0] = 0;
  }

  /** @returns the distance; where it exceeds the bound, some number that does too */
  distanceTo(characters: Int32Array, from: number, length: number, bound: number): number {
    if (this.#length === 0) return length;
    const places = this.#places;
    const last = 1 << (this.#length - 1);
    let positive = -1;
    let negative = 0;
    let distance = this.#length;
    for (let index = 0; index < length; index++) {
      const equal = places[characters[from + index]];
      const vertical = equal | negative;
      const horizontal = (((equal & positive) + positive) ^ positive) | equal;
      let up = negative | ~(horizontal | positive);
      let down = positive & horizontal;
      if (up & last) distance++;
      else if (down & last) distance--;
      if (distance - (length - 1 - index) > bound) return distance;
      up = (up << 1) | 1;
      down <<= 1;
      positive = down | ~(vertical | up);
      negative = up & vertical;
    }
    return distance;
  }
}
