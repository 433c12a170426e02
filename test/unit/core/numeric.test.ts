import { describe, expect, it } from "@jest/globals";
import { bitsPerByte } from "../../../shared/src/core/numeric/bits-per-byte.ts";
import { exponential } from "../../../shared/src/core/numeric/exponential.ts";
import { deriveSeed } from "../../../shared/src/core/numeric/seed.ts";

describe("bitsPerByte", () => {
  it("turns nats into bits and shares them among bytes", () => {
    expect(bitsPerByte(Math.LN2 * 6, 3)).toBeCloseTo(2, 14);
  });

  it("has no answer for an empty answer", () => {
    const message = "bitsPerByte: expected at least 1 byte, got 0";
    expect(() => bitsPerByte(1, 0)).toThrow(expect.objectContaining({ code: "EMPTY_ANSWER", message }));
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

describe("exponential", () => {
  it("is e^x within 10⁻¹³ of it from −40 to 0", () => {
    const steps = 100_003;
    let worst = 0;
    for (let step = 0; step <= steps; step++) {
      const x = (-40 * step) / steps;
      worst = Math.max(worst, Math.abs(exponential(x) / Math.exp(x) - 1));
    }
    expect(worst).toBeLessThan(1e-13);
    expect(exponential(0)).toBe(1);
  });

  it.each([1e-9, 1, 800, -40.01, -745, -1e9, Number.NEGATIVE_INFINITY, Number.NaN])(
    "is Math.exp elsewhere: %d",
    (x) => {
      expect(exponential(x)).toBe(Math.exp(x));
    },
  );
});
