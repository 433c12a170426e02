/**
 * A set of ids below a size that hands them out in ascending order: bits, with one bit above for every word of them, so that
 * a few ids among many are found without looking at all words and without sorting.
 */
export class SortedIds {
  readonly #words: Int32Array;
  readonly #summary: Int32Array;

  constructor(size: number) {
    this.#words = new Int32Array((size + 31) >>> 5);
    this.#summary = new Int32Array((this.#words.length + 31) >>> 5);
  }

  add(id: number): void {
    this.#words[id >>> 5] |= 1 << (id & 31);
    this.#summary[id >>> 10] |= 1 << ((id >>> 5) & 31);
  }

  /** Writes the ids into `out`, ascending, from its beginning, and empties the set. @returns how many there were */
  drain(out: Int32Array): number {
    let count = 0;
    for (let above = 0; above < this.#summary.length; above++) {
      let words = this.#summary[above];
      while (words !== 0) {
        const word = (above << 5) | trailingZeros(words);
        words &= words - 1;
        let bits = this.#words[word];
        while (bits !== 0) {
          out[count++] = (word << 5) | trailingZeros(bits);
          bits &= bits - 1;
        }
        this.#words[word] = 0;
      }
      this.#summary[above] = 0;
    }
    return count;
  }
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}
