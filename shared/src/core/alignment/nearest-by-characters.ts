import { BitParallelDistance, LONGEST_PATTERN } from "./bit-parallel-distance.ts";
import type { CharacterTable } from "./character-table.ts";
import { editDistance } from "./edit-distance.ts";
import { FAR, type NearestRows } from "./nearest-rows.ts";

/**
 * Finds one text's nearest target by how many characters they share, whatever their order: a distance is at least the longer
 * one's length less the characters in common. Targets are measured by this bound, least first, until it exceeds the best.
 *
 * Time of a search: O(W + postings of the text's characters), and of the measured targets' tables.
 */
export class NearestByCharacters {
  readonly #sources: CharacterTable;
  readonly #targets: CharacterTable;
  readonly #found: NearestRows;
  readonly #rows: number;
  /** [characters + 2] where each character's postings begin */
  readonly #starts: Int32Array;
  /** the rows in which it occurs, ascending, and how often */
  readonly #postings: Int32Array;
  readonly #occurrences: Int32Array;
  readonly #counts: Int32Array;
  readonly #bounds: Int32Array;
  readonly #measure: BitParallelDistance;

  constructor(sources: CharacterTable, targets: CharacterTable, characters: number, found: NearestRows) {
    this.#sources = sources;
    this.#targets = targets;
    this.#found = found;
    this.#rows = targets.starts.length - 1;
    this.#counts = new Int32Array(characters + 1);
    this.#bounds = new Int32Array(this.#rows);
    this.#measure = new BitParallelDistance(characters);
    this.#starts = new Int32Array(characters + 2);
    for (const character of targets.characters) this.#starts[character + 1]++;
    for (let character = 0; character <= characters; character++)
      this.#starts[character + 1] += this.#starts[character];
    this.#postings = new Int32Array(targets.characters.length).fill(-1);
    this.#occurrences = new Int32Array(targets.characters.length);
    this.#post();
  }

  #post(): void {
    const { characters, starts } = this.#targets;
    const ends = this.#starts.slice();
    for (let row = 0; row < this.#rows; row++)
      for (let index = starts[row]; index < starts[row + 1]; index++) {
        const character = characters[index];
        const last = ends[character] - 1;
        if (last >= this.#starts[character] && this.#postings[last] === row) this.#occurrences[last]++;
        else {
          this.#postings[ends[character]] = row;
          this.#occurrences[ends[character]++] = 1;
        }
      }
  }

  /** Finds a source's nearest target. */
  find(source: number): void {
    const sources = this.#sources;
    const found = this.#found;
    const from = sources.starts[source];
    const length = sources.starts[source + 1] - from;
    const bounds = this.#bounds;
    const { characters, starts } = this.#targets;
    let level = this.#boundAll(sources.characters, from, length);
    const fits = length <= LONGEST_PATTERN;
    if (fits) this.#measure.setPattern(sources.characters, from, length);
    let best = FAR;
    let bestRow = -1;
    for (; level <= best; level++)
      for (let row = 0; row < this.#rows; row++) {
        if (bounds[row] !== level) continue;
        // a later row must be nearer, an earlier one may tie
        const most = row < bestRow || found.ties !== null ? best : best - 1;
        const begin = starts[row];
        const size = starts[row + 1] - begin;
        const distance = fits
          ? this.#measure.distanceTo(characters, begin, size, most)
          : this.#measureLong(sources.characters, from, length, begin, size, most);
        if (distance > most) continue;
        if (found.ties !== null) {
          if (distance < best) found.ties[source] = [];
          found.ties[source].push(row);
        }
        bestRow = distance < best ? row : Math.min(row, bestRow);
        best = distance;
      }
    found.rows[source] = bestRow;
    found.distances[source] = best;
  }

  /** Sets each target's bound. @returns the least */
  #boundAll(text: Int32Array, from: number, length: number): number {
    const bounds = this.#bounds.fill(0);
    const counts = this.#counts;
    for (let index = from; index < from + length; index++) counts[text[index]]++;
    for (let index = from; index < from + length; index++) {
      const character = text[index];
      const count = character === 0 ? 0 : counts[character];
      counts[character] = 0;
      if (count === 0) continue;
      for (let posting = this.#starts[character]; posting < this.#starts[character + 1]; posting++) {
        const row = this.#postings[posting];
        // behind a character's last posting: it occurs several times in a row
        if (row < 0) break;
        const occurrences = this.#occurrences[posting];
        bounds[row] += occurrences < count ? occurrences : count;
      }
    }
    const { starts } = this.#targets;
    let least = FAR;
    for (let row = 0; row < this.#rows; row++) {
      const size = starts[row + 1] - starts[row];
      const bound = (size > length ? size : length) - bounds[row];
      bounds[row] = bound;
      if (bound < least) least = bound;
    }
    return least;
  }

  #measureLong(text: Int32Array, from: number, length: number, begin: number, size: number, bound: number): number {
    const { characters } = this.#targets;
    if (size <= LONGEST_PATTERN) {
      this.#measure.setPattern(characters, begin, size);
      return this.#measure.distanceTo(text, from, length, bound);
    }
    return editDistance(text.subarray(from, from + length), characters.subarray(begin, begin + size), bound);
  }
}
