import { BitParallelDistance, LONGEST_PATTERN } from "./bit-parallel-distance.ts";
import type { CharacterTable } from "./character-table.ts";
import type { NearestRows } from "./nearest-rows.ts";

/** Distances up to this are sifted: misses are counted in four bits at most. */
export const MOST_SIFTED = 15;
const LONGEST_TARGET = LONGEST_PATTERN + MOST_SIFTED;
/** A length and a place as one number. */
const PLACES = 64;
const WORD = 32;
/** Targets of one length fill whole pairs of words. */
const PAIR = 2 * WORD;

/**
 * Finds targets at one distance, where all smaller ones have been sought before, by counting for 32 targets at once how many
 * of a source's characters they lack near its place.
 *
 * On the way from a text of m characters to one of n by at most k edits, of which n − m = i − d are insertions i less
 * deletions d, a character that is kept moves by at most ⌊(k + n − m) / 2⌋ places to the right and ⌊(k − n + m) / 2⌋ to the
 * left, and at least max(m, n) − k are kept. Targets that have fewer of a source's characters that near are passed over;
 * the rest is measured.
 */
export class PlaceSift {
  readonly #sources: CharacterTable;
  readonly #targets: CharacterTable;
  readonly #found: NearestRows;
  readonly #measure: BitParallelDistance;
  /** targets by length, and by row where it is equal; each length begins at a word of its own */
  readonly #rowOfSlot: Int32Array;
  /** [length] the first slot */
  readonly #slots = new Int32Array(LONGEST_TARGET + 2);
  /** [characters + 2] where each character's occurrences begin, which are sorted by length, place and slot */
  readonly #occurrences: Int32Array;
  readonly #where: Int32Array;
  readonly #slotOf: Int32Array;
  /** [characters + 1, places] where in the pool the targets are marked that have the character near the place; 0 where not yet */
  readonly #marked: Int32Array;
  #pool = new Int32Array(PAIR);
  #poolEnd = 1;

  constructor(sources: CharacterTable, targets: CharacterTable, characters: number, found: NearestRows) {
    this.#sources = sources;
    this.#targets = targets;
    this.#found = found;
    this.#measure = new BitParallelDistance(characters);
    this.#marked = new Int32Array((characters + 1) * LONGEST_PATTERN);
    const { starts } = targets;
    const sizes = new Int32Array(LONGEST_TARGET + 1);
    for (let row = 0; row < starts.length - 1; row++) {
      const length = starts[row + 1] - starts[row];
      if (length <= LONGEST_TARGET) sizes[length]++;
    }
    for (let length = 0; length <= LONGEST_TARGET; length++)
      this.#slots[length + 1] = this.#slots[length] + Math.ceil(sizes[length] / PAIR) * PAIR;
    this.#rowOfSlot = new Int32Array(this.#slots[LONGEST_TARGET + 1]).fill(-1);
    const ends = this.#slots.slice();
    for (let row = 0; row < starts.length - 1; row++) {
      const length = starts[row + 1] - starts[row];
      if (length <= LONGEST_TARGET) this.#rowOfSlot[ends[length]++] = row;
    }
    this.#occurrences = new Int32Array(characters + 2);
    this.#where = new Int32Array(targets.characters.length);
    this.#slotOf = new Int32Array(targets.characters.length);
    this.#listOccurrences(characters);
  }

  #listOccurrences(characters: number): void {
    const { starts, characters: texts } = this.#targets;
    for (const row of this.#rowOfSlot)
      if (row >= 0)
        for (let index = starts[row]; index < starts[row + 1]; index++) this.#occurrences[texts[index] + 1]++;
    for (let character = 0; character <= characters; character++)
      this.#occurrences[character + 1] += this.#occurrences[character];
    const ends = this.#occurrences.slice();
    for (let length = 1; length <= LONGEST_TARGET; length++)
      for (let place = 0; place < length; place++)
        for (let slot = this.#slots[length]; slot < this.#slots[length + 1]; slot++) {
          const row = this.#rowOfSlot[slot];
          if (row < 0) break;
          const at = ends[texts[starts[row] + place]]++;
          this.#where[at] = length * PLACES + place;
          this.#slotOf[at] = slot;
        }
  }

  /**
   * @param rows - sources that have no target at a smaller distance, each of at most {@link LONGEST_PATTERN} characters
   * @returns those that have none at this distance either
   */
  sift(rows: Int32Array, distance: number): Int32Array {
    const { starts } = this.#sources;
    const byLength = new Map<number, number[]>();
    for (const row of rows) {
      const length = starts[row + 1] - starts[row];
      if (!byLength.has(length)) byLength.set(length, []);
      byLength.get(length)!.push(row);
    }
    for (const [length, group] of byLength)
      for (let size = Math.max(0, length - distance); size <= length + distance; size++)
        if (this.#slots[size] < this.#slots[size + 1]) this.#siftGroup(group, length, size, distance);
    return rows.filter((row) => this.#found.rows[row] < 0);
  }

  /** Sources of one length with targets of one size. */
  #siftGroup(group: readonly number[], length: number, size: number, distance: number): void {
    const { characters, starts } = this.#sources;
    const marked = this.#marked;
    const before = (distance - size + length) >> 1;
    const behind = (distance + size - length) >> 1;
    const misses = distance - Math.max(0, size - length);
    const lists = new Int32Array(length);
    const used: number[] = [];
    this.#poolEnd = 1;
    for (const row of group) {
      const from = starts[row];
      let known = 0;
      for (let place = 0; place < length; place++) {
        const character = characters[from + place];
        if (character === 0) continue;
        const key = character * LONGEST_PATTERN + place;
        if (marked[key] === 0) {
          marked[key] = this.#mark(character, size, place - before, place + behind);
          used.push(key);
        }
        lists[known++] = marked[key];
      }
      const left = misses - (length - known);
      if (left < 0) continue;
      this.#measure.setPattern(characters, from, length);
      if (left <= 3) this.#countToThree(row, lists, known, left, size, distance);
      else this.#countToFifteen(row, lists, known, left, size, distance);
    }
    for (const key of used) marked[key] = 0;
  }

  /** Marks the targets of one size that have a character within some places. @returns where in the pool the marks are */
  #mark(character: number, size: number, from: number, to: number): number {
    const first = this.#slots[size];
    const words = (this.#slots[size + 1] - first) / WORD;
    const begin = this.#poolEnd;
    this.#poolEnd += words;
    if (this.#poolEnd > this.#pool.length) {
      const larger = new Int32Array(2 * this.#poolEnd);
      larger.set(this.#pool);
      this.#pool = larger;
    }
    const pool = this.#pool.fill(-1, begin, this.#poolEnd);
    const last = size * PLACES + to;
    const end = this.#occurrences[character + 1];
    for (let at = this.#firstFrom(character, size * PLACES + Math.max(0, from)); at < end; at++) {
      if (this.#where[at] > last) break;
      const slot = this.#slotOf[at] - first;
      pool[begin + (slot >>> 5)] &= ~(1 << slot);
    }
    return begin;
  }

  /** The first occurrence of a character that is not before a length and place. */
  #firstFrom(character: number, where: number): number {
    let low = this.#occurrences[character];
    let high = this.#occurrences[character + 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#where[middle] < where) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Counts misses for two words of targets at once, in two bits, and measures the targets that have few enough. */
  #countToThree(row: number, lists: Int32Array, known: number, misses: number, size: number, distance: number): void {
    const pool = this.#pool;
    const first = this.#slots[size];
    const words = (this.#slots[size + 1] - first) / WORD;
    // counters begin so that they overflow at one miss too many
    const ones = -((3 - misses) & 1);
    const twos = -((3 - misses) >> 1);
    for (let word = 0; word < words; word += 2) {
      let one = ones;
      let two = twos;
      let over = 0;
      let nextOne = ones;
      let nextTwo = twos;
      let nextOver = 0;
      for (let index = 0; index < known; index++) {
        const at = lists[index] + word;
        const missed = pool[at];
        const nextMissed = pool[at + 1];
        const carry = one & missed;
        const nextCarry = nextOne & nextMissed;
        one ^= missed;
        nextOne ^= nextMissed;
        over |= two & carry;
        nextOver |= nextTwo & nextCarry;
        two ^= carry;
        nextTwo ^= nextCarry;
      }
      if ((over & nextOver) === -1) continue;
      if (this.#measureWord(row, first + word * WORD, ~over, size, distance)) return;
      if (this.#measureWord(row, first + (word + 1) * WORD, ~nextOver, size, distance)) return;
    }
  }

  /** The same in four bits. */
  #countToFifteen(row: number, lists: Int32Array, known: number, misses: number, size: number, distance: number): void {
    const pool = this.#pool;
    const first = this.#slots[size];
    const words = (this.#slots[size + 1] - first) / WORD;
    const room = MOST_SIFTED - misses;
    for (let word = 0; word < words; word++) {
      let one = -(room & 1);
      let two = -((room >> 1) & 1);
      let four = -((room >> 2) & 1);
      let eight = -(room >> 3);
      let over = 0;
      for (let index = 0; index < known; index++) {
        const missed = pool[lists[index] + word];
        const carry = one & missed;
        one ^= missed;
        const carryTwo = two & carry;
        two ^= carry;
        const carryFour = four & carryTwo;
        four ^= carryTwo;
        over |= eight & carryFour;
        eight ^= carryFour;
      }
      if (over !== -1 && this.#measureWord(row, first + word * WORD, ~over, size, distance)) return;
    }
  }

  /** Measures some of 32 targets. @returns whether no later target of this size can be lower */
  #measureWord(row: number, slot: number, few: number, size: number, distance: number): boolean {
    const { rows, distances, ties } = this.#found;
    const { characters, starts } = this.#targets;
    for (let left = few; left !== 0; left &= left - 1) {
      const target = this.#rowOfSlot[slot + 31 - Math.clz32(left & -left)];
      if (target < 0 || (ties === null && rows[row] >= 0 && target > rows[row])) return true;
      if (this.#measure.distanceTo(characters, starts[target], size, distance) > distance) continue;
      distances[row] = distance;
      if (rows[row] < 0 || target < rows[row]) rows[row] = target;
      if (ties === null) return true;
      ties[row].push(target);
    }
    return false;
  }
}
