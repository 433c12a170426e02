import { describe, expect, it } from "@jest/globals";
import { BitParallelDistance } from "../../../shared/src/core/alignment/bit-parallel-distance.ts";
import { numberCharacters, tableOfStrings } from "../../../shared/src/core/alignment/character-table.ts";
import { NearestByCharacters } from "../../../shared/src/core/alignment/nearest-by-characters.ts";
import { createRandom } from "../../../shared/src/core/numeric/random.ts";
import { naiveDistance } from "../../support/naive-distance.ts";

const codes = (string: string) => [...string].map((character) => character.charCodeAt(0));

/** The longer one's length less the characters in common. */
function boundOf(source: string, target: string): number {
  const left = [...target];
  for (const character of source) if (left.includes(character)) left.splice(left.indexOf(character), 1);
  return Math.max(source.length, target.length) - (target.length - left.length);
}

function tryAll(source: string, targets: readonly string[]) {
  const distances = targets.map((target) => naiveDistance(codes(source), codes(target)));
  const distance = Math.min(...distances);
  const ties = distances.flatMap((one, row) => (one === distance ? [row] : []));
  return { row: ties[0], distance, ties, measured: targets.filter((one) => boundOf(source, one) <= distance).length };
}

function search(sources: readonly string[], targets: readonly string[], withTies: boolean) {
  const [from, to] = [tableOfStrings(sources), tableOfStrings(targets)];
  const characters = numberCharacters(from, to);
  const found = {
    rows: new Int32Array(sources.length).fill(-1),
    distances: new Int32Array(sources.length),
    ties: withTies ? sources.map((): number[] => []) : null,
  };
  const nearest = new NearestByCharacters(from, to, characters, found);
  const { distanceTo } = BitParallelDistance.prototype;
  let measured = 0;
  BitParallelDistance.prototype.distanceTo = function (...given) {
    measured++;
    return distanceTo.apply(this, given);
  };
  try {
    return sources.map((_, at) => {
      measured = 0;
      nearest.find(at);
      const ties = found.ties === null ? null : found.ties[at].toSorted((a, b) => a - b);
      return { row: found.rows[at], distance: found.distances[at], ties, measured };
    });
  } finally {
    BitParallelDistance.prototype.distanceTo = distanceTo;
  }
}

const random = createRandom(11);
const text = (letters: string, least: number, most: number) =>
  Array.from(
    { length: least + (random.uint32() % (most - least + 1)) },
    () => letters[random.uint32() % letters.length],
  ).join("");
const texts = (count: number, ...of: Parameters<typeof text>) => [
  ...new Set(Array.from({ length: count }, () => text(...of))),
];

describe("a search by the characters in common", () => {
  it.each([
    ["few targets of few letters", 200, 3, 4, "abcx", "abc", 0, 6],
    ["more targets", 40, 5, 20, "abcdefgx", "abcdefg", 1, 9],
    ["sources longer than a machine word", 30, 3, 6, "abx", "ab", 10, 40],
  ])(
    "finds the nearest, and measures those alone that may be as near: %s",
    (_, times, sourceCount, targetCount, sourceLetters, targetLetters, least, most) => {
      for (let time = 0; time < times; time++) {
        const targets = texts(targetCount, targetLetters, least, Math.min(most, 32));
        const sources = texts(sourceCount, sourceLetters, least, most).filter((one) => !targets.includes(one));
        for (const withTies of [false, true])
          expect(search(sources, targets, withTies)).toEqual(
            sources.map((source) => {
              const { ties, ...expected } = tryAll(source, targets);
              return { ...expected, ties: withTies ? ties : null };
            }),
          );
      }
    },
  );
});
