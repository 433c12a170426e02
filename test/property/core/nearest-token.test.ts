import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { tableOfStrings } from "../../../shared/src/core/alignment/character-table.ts";
import { findNearest } from "../../../shared/src/core/alignment/nearest-token.ts";
import { naiveDistance } from "../../support/naive-distance.ts";

const points = (text: string) => [...text].map((character) => character.codePointAt(0)!);

/** What trying them all finds. */
function tryAll(source: readonly number[], targets: readonly (readonly number[])[]) {
  const distances = targets.map((target) => naiveDistance(source, target));
  const least = Math.min(...distances);
  const ties = distances.flatMap((distance, row) => (distance === least ? [row] : []));
  return { row: ties[0], distance: least, ties };
}

function check(sources: readonly string[], targets: readonly string[]) {
  const reports: number[] = [];
  const plain = findNearest(tableOfStrings(sources), tableOfStrings(targets), {
    report: (done, of) => {
      expect(of).toBe(sources.length);
      expect(done).toBeGreaterThanOrEqual(0);
      reports.push(done);
    },
  });
  const listed = findNearest(tableOfStrings(sources), tableOfStrings(targets), { ties: true });
  expect(plain.ties).toBeNull();
  expect(reports.toSorted((a, b) => a - b)).toEqual(reports);
  expect(reports.at(-1) ?? 0).toBe(sources.length);
  const targetPoints = targets.map(points);
  const expected = sources.map((source) => ({ source, ...tryAll(points(source), targetPoints) }));
  const of = ({ rows, distances }: typeof plain, row: number) => ({ row: rows[row], distance: distances[row] });
  expect(sources.map((source, row) => ({ source, ...of(plain, row), ties: listed.ties![row] }))).toEqual(expected);
  expect(sources.map((source, row) => ({ source, ...of(listed, row), ties: listed.ties![row] }))).toEqual(expected);
}

/** Few characters, so that many targets are equally near; one beyond the basic plane, one that is half of such. */
const unit = fc.constantFrom("a", "b", "c", "▁", "é", "😀", "\ud83d");
const short = fc.string({ unit, minLength: 1, maxLength: 7 });
const long = fc.string({ unit: fc.constantFrom("a", "b", "😀"), minLength: 28, maxLength: 48 });
const word = fc.string({ unit: fc.constantFrom(..."etaoinshrdlu"), minLength: 4, maxLength: 20 });
const huge = fc
  .tuple(fc.constantFrom("-", "=", "ab"), fc.integer({ min: 100, max: 512 }), short)
  .map(([text, times, end]) => `${text.repeat(times)}${end}`.slice(-512));
const vocabulary = (token: fc.Arbitrary<string>, maxLength: number) =>
  fc.uniqueArray(token, { minLength: 1, maxLength });

function vocabularies(token: fc.Arbitrary<string>, maxLength: number) {
  return fc.tuple(vocabulary(token, maxLength), vocabulary(token, maxLength)).map(([sources, targets]) => ({
    sources: sources.filter((source) => !targets.includes(source)),
    targets,
  }));
}

describe("the nearest token", () => {
  it.each([
    ["short tokens with many ties", vocabularies(short, 90), 200],
    ["words, near and far", vocabularies(word, 80), 100],
    ["tokens about as long as a machine word", vocabularies(fc.oneof(long, short), 20), 150],
    ["tokens of hundreds of characters", vocabularies(fc.oneof(huge, long, short), 6), 25],
  ])(
    "is the lowest row of the least distance, and ties are all of that distance: %s",
    (_, pair, numRuns) => {
      fc.assert(
        fc.property(pair, ({ sources, targets }) => check(sources, targets)),
        { numRuns },
      );
    },
    60_000,
  );

  it("is found at every distance, by every way of searching", () => {
    const base = "abcdefghijklmnopqrstuvwxyz012345";
    expect(base.length).toBe(32);
    for (let distance = 1; distance <= 32; distance++) {
      const changed = "#".repeat(distance) + base.slice(distance);
      check([base, `${base}6`], [changed, "##", base.slice(0, 32 - distance) || "#", changed.slice(1)]);
    }
  });

  it("is none where there is no target, and nothing is asked where there is no source", () => {
    expect([...findNearest(tableOfStrings(["a"]), tableOfStrings([])).rows]).toEqual([-1]);
    expect([...findNearest(tableOfStrings([]), tableOfStrings(["a"])).rows]).toEqual([]);
  });

  it("of an empty string is the shortest, and an empty target is as far as its source is long", () => {
    check(["", "abc"], ["xy", "z", "w"]);
    check(["abc", "a".repeat(40)], ["", "xyzuvw".repeat(20)]);
  });
});
