import { LONGEST_PATTERN } from "./bit-parallel-distance.ts";
import { type CharacterTable, numberCharacters } from "./character-table.ts";
import { NearestByCharacters } from "./nearest-by-characters.ts";
import type { NearestRows } from "./nearest-rows.ts";
import { MOST_SIFTED, PlaceSift } from "./place-sift.ts";

export interface NearestOptions {
  /** whether to list all targets at the least distance */
  ties?: boolean;
  /** called now and then with how many sources have their nearest target */
  report?: (done: number, of: number) => void;
}

/**
 * For each source the target at the least edit distance (MinED), ties to the lowest row. Exact: what is passed over cannot be
 * as near.
 *
 * Distance by distance, from 1 on, targets are sifted by the characters that they share with a source near the same place
 * ({@link PlaceSift}), which settles nearly all tokens of real vocabularies. What is further from everything, or longer than
 * a machine word, is compared by its characters alone ({@link NearestByCharacters}).
 *
 * @param sources - none of them equal to a target; characters are numbered anew in place, as the targets' are
 *
 * Memory O(characters of both, and what the largest pair of lengths marks: 1 bit for a target, character and place).
 */
export function findNearest(
  sources: CharacterTable,
  targets: CharacterTable,
  { ties = false, report = () => {} }: NearestOptions = {},
): NearestRows {
  const count = sources.starts.length - 1;
  const found: NearestRows = {
    rows: new Int32Array(count).fill(-1),
    distances: new Int32Array(count),
    ties: ties ? Array.from({ length: count }, () => []) : null,
  };
  const characters = numberCharacters(sources, targets);
  const sift = new PlaceSift(sources, targets, characters, found);
  const fits = (row: number) => sources.starts[row + 1] - sources.starts[row] <= LONGEST_PATTERN;
  const rows = Int32Array.from({ length: count }, (_, row) => row);
  let left: Int32Array = rows.filter(fits);
  const long = rows.filter((row) => !fits(row));
  for (let distance = 1; distance <= MOST_SIFTED && left.length > 0; distance++) {
    left = sift.sift(left, distance);
    report(count - left.length - long.length, count);
  }
  const rest = [...left, ...long];
  if (rest.length > 0) {
    const nearest = new NearestByCharacters(sources, targets, characters, found);
    rest.forEach((row, index) => {
      nearest.find(row);
      report(count - rest.length + index + 1, count);
    });
  }
  // found by length, or by what they have in common
  for (const list of found.ties ?? []) list.sort((a, b) => a - b);
  return found;
}
