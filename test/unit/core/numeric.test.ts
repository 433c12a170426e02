import { describe, expect, it } from "@jest/globals";
import { bitsPerByte } from "../../../shared/src/core/numeric/bits-per-byte.ts";
import { deriveSeed } from "../../../shared/src/core/numeric/seed.ts";

describe("bitsPerByte", () => {
  it("turns nats into bits and shares them among bytes", () => {
    expect(bitsPerByte(Math.LN2 * 6, 3)).toBeCloseTo(2, 14);
  });

  it("has no answer for an empty answer", () => {
    expect(() => bitsPerByte(1, 0)).toThrow(expect.objectContaining({ code: "EMPTY_ANSWER" }));
  });
});

describe("deriveSeed", () => {
  it("is the same on every machine and in every version", () => {
    expect(deriveSeed(7, "order", "public", "harbour", 1)).toBe(4288069961);
    expect(deriveSeed(0)).toBe(0);
  });

  it("tells labels apart by cut, kind and order", () => {
    const labels: (string | number)[][] = [
      ["ab", "c"],
      ["a", "bc"],
      ["abc"],
      ["1"],
      [1],
      [1, 2],
      [2, 1],
      ["", "a"],
      ["a", ""],
    ];
    expect(new Set(labels.map((label) => deriveSeed(0, ...label))).size).toBe(labels.length);
  });

  it("spreads neighbouring rounds and seeds over all bits", () => {
    const seeds: number[] = [];
    for (let seed = 0; seed < 100; seed++)
      for (let round = 0; round < 100; round++) seeds.push(deriveSeed(seed, "x", round));
    expect(new Set(seeds).size).toBeGreaterThan(9990);
    for (let bit = 0; bit < 32; bit++) {
      const ones = seeds.filter((seed) => (seed >>> bit) & 1).length;
      expect(Math.abs(ones - 5000)).toBeLessThan(250);
    }
  });
});
