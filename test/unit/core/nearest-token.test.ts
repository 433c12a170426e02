import { describe, expect, it } from "@jest/globals";
import { tableOfStrings } from "../../../shared/src/core/alignment/character-table.ts";
import { findNearest } from "../../../shared/src/core/alignment/nearest-token.ts";

describe("the nearest of very many tokens of one length", () => {
  it("is the lowest row of the least distance, however much there is to mark", () => {
    const letters = [..."abcdefghijklmnopqrstuvwxyz0123"];
    const targets = letters.flatMap((a) => letters.flatMap((b) => letters.map((c) => `${a}${b}${c}`)));
    // every letter at every place; each is one letter more than four of the targets
    const sources = letters.map((_, at) => [0, 1, 2, 3].map((place) => letters[(at + 7 * place) % 30]).join(""));
    const rowOf = new Map(targets.map((target, row) => [target, row]));
    const without = (text: string, place: number) => text.slice(0, place) + text.slice(place + 1);
    const { rows, distances } = findNearest(tableOfStrings(sources), tableOfStrings(targets));
    expect([...rows]).toEqual(
      sources.map((source) => Math.min(...[0, 1, 2, 3].map((place) => rowOf.get(without(source, place))!))),
    );
    expect(new Set(distances)).toEqual(new Set([1]));
  });
});
