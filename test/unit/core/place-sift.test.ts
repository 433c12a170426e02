import { describe, expect, it } from "@jest/globals";
import { BitParallelDistance } from "../../../shared/src/core/alignment/bit-parallel-distance.ts";
import { numberCharacters, tableOfStrings } from "../../../shared/src/core/alignment/character-table.ts";
import type { NearestRows } from "../../../shared/src/core/alignment/nearest-rows.ts";
import { MOST_SIFTED, PlaceSift } from "../../../shared/src/core/alignment/place-sift.ts";
import { createRandom } from "../../../shared/src/core/numeric/random.ts";
import { naiveDistance } from "../../support/naive-distance.ts";

/** Whether a target has enough of a source's characters near enough to be measured at a distance, as the class's text says it. */
function isMeasured(source: string, target: string, distance: number): boolean {
  const longer = target.length - source.length;
  if (Math.abs(longer) > distance) return false;
  const left = Math.floor((distance - longer) / 2);
  const right = Math.floor((distance + longer) / 2);
  const kept = [...source].filter((character, place) =>
    target.slice(Math.max(0, place - left), place + right + 1).includes(character),
  );
  return kept.length >= Math.max(source.length, target.length) - distance;
}

/** Sifts target by target, and counts what it measures. */
function siftOneByOne(sources: readonly string[], targets: readonly string[], withTies: boolean) {
  const rows = sources.map(() => -1);
  const distances = sources.map(() => 0);
  const ties: number[][] = sources.map(() => []);
  const measured: number[] = [];
  for (let distance = 1; distance <= MOST_SIFTED; distance++) {
    measured.push(0);
    sources.forEach((source, at) => {
      if (rows[at] >= 0 && distances[at] < distance) return;
      for (let size = 0; size <= source.length + distance && size <= 47; size++)
        for (const [row, target] of targets.entries()) {
          if (target.length !== size || !isMeasured(source, target, distance)) continue;
          if (!withTies && rows[at] >= 0 && row > rows[at]) break;
          measured[distance - 1]++;
          if (naiveDistance([...source].map(code), [...target].map(code)) > distance) continue;
          distances[at] = distance;
          ties[at].push(row);
          rows[at] = rows[at] < 0 ? row : Math.min(row, rows[at]);
          if (!withTies) break;
        }
    });
  }
  return { rows, distances, ties: withTies ? ties : null, measured };
}

const code = (character: string) => character.charCodeAt(0);

function sift(sources: readonly string[], targets: readonly string[], withTies: boolean) {
  const [from, to] = [tableOfStrings(sources), tableOfStrings(targets)];
  const characters = numberCharacters(from, to);
  const found: NearestRows = {
    rows: new Int32Array(sources.length).fill(-1),
    distances: new Int32Array(sources.length),
    ties: withTies ? sources.map(() => []) : null,
  };
  const searched = new PlaceSift(from, to, characters, found);
  const measured: number[] = [];
  const { distanceTo } = BitParallelDistance.prototype;
  BitParallelDistance.prototype.distanceTo = function (...given) {
    measured[measured.length - 1]++;
    return distanceTo.apply(this, given);
  };
  try {
    let left: Int32Array = Int32Array.from(sources.keys());
    for (let distance = 1; distance <= MOST_SIFTED; distance++) {
      measured.push(0);
      left = searched.sift(left, distance);
      expect([...left]).toEqual([...sources.keys()].filter((row) => found.rows[row] < 0));
    }
  } finally {
    BitParallelDistance.prototype.distanceTo = distanceTo;
  }
  return { rows: [...found.rows], distances: [...found.distances], ties: found.ties, measured };
}

const random = createRandom(5);
const below = (end: number) => random.uint32() % end;
const text = (letters: string, length: number) => Array.from({ length }, () => letters[below(letters.length)]).join("");

/** A text after some random edits. */
function edited(base: string, edits: number, letters: string): string {
  let changed = base;
  for (let edit = 0; edit < edits; edit++) {
    const place = below(changed.length + 1);
    changed = changed.slice(0, place) + text(letters, below(2)) + changed.slice(place + below(2));
  }
  return changed;
}

const few = "abcdefgh";
const many = "etaoinshrdlucmfw";
const shortTargets = [...new Set(["", ...Array.from({ length: 300 }, () => text(few, 3 + below(3)))])];
const shortSources = ["z", "zzzz", "", ...Array.from({ length: 25 }, () => text(`${few}z`, 1 + below(7)))];
const longSources = Array.from({ length: 12 }, () => text(`${many}z`, 22 + below(11)));
const longTargets = [
  ...longSources.flatMap((source) => [1, 3, 6, 12].map((edits) => edited(source, edits, many))),
  text(many, 47),
  text(many, 48),
  text(many, 60),
];
const longest = text(many, 32);
/** A text with other letters at so many random places. */
function respelt(base: string, places: number): string {
  const letters = [...base];
  for (let place = 0; place < places; place++) letters[below(letters.length)] = text(many, 1);
  return letters.join("");
}
const longEvenSources = Array.from({ length: 8 }, (_, at) => text(many, 26 - at) + "z".repeat(at));
const longEvenTargets = [
  ...Array.from({ length: 20 }, () => text(many, 26)),
  ...longEvenSources
    .slice(0, 4)
    .flatMap((source) => [8, 12, 16].map((places) => respelt(source, places).replaceAll("z", "a"))),
];
const evenTargets = [...new Set(Array.from({ length: 40 }, () => text("abcd", 4)))];

describe("a sift by characters and places", () => {
  it.each([
    ["short texts, of which several words hold those of a length", shortSources, shortTargets],
    ["texts of one length", Array.from({ length: 10 }, () => text("abcd", 4)), evenTargets],
    ["long texts", longSources, longTargets],
    ["long texts of one length", longEvenSources, longEvenTargets],
    [
      "texts as long as a machine word, up to the longest target",
      [longest],
      [longest + text(many, 15), text(many, 48)],
    ],
  ])("finds the nearest of %s, and measures those alone that have enough characters in their places", (_, from, to) => {
    const sources = from.filter((source) => !to.includes(source));
    for (const withTies of [false, true])
      expect(sift(sources, to, withTies)).toEqual(siftOneByOne(sources, to, withTies));
  });
});
