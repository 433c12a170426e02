import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { createRandom } from "../../../shared/src/core/numeric/random.ts";

const seed = fc.oneof(fc.maxSafeNat(), fc.string());

describe("a seeded stream", () => {
  it("repeats itself for the same seed and differs for another", () => {
    fc.assert(
      fc.property(seed, seed, (first, second) => {
        const draw = (from: number | string) => {
          const random = createRandom(from);
          return [random.uint32(), random.next(), random.normal(), random.uint32()];
        };
        expect(draw(first)).toEqual(draw(first));
        if (first !== second) expect(draw(first)).not.toEqual(draw(second));
      }),
    );
  });

  it("stays in its ranges", () => {
    fc.assert(
      fc.property(seed, (from) => {
        const random = createRandom(from);
        for (let draw = 0; draw < 50; draw++) {
          const word = random.uint32();
          expect(Number.isInteger(word) && word >= 0 && word < 2 ** 32).toBe(true);
          const number = random.next();
          expect(number >= 0 && number < 1).toBe(true);
        }
      }),
    );
  });

  it("shuffles in place without losing anything", () => {
    fc.assert(
      fc.property(seed, fc.array(fc.integer()), (from, array) => {
        const copy = [...array];
        expect(createRandom(from).shuffle(copy)).toBe(copy);
        expect([...copy].sort((a, b) => a - b)).toEqual([...array].sort((a, b) => a - b));
      }),
    );
  });

  it("is even: means, variances and first places come out as they should", () => {
    const random = createRandom(1);
    const count = 20_000;
    const normals = Array.from({ length: count }, () => random.normal());
    const mean = normals.reduce((sum, value) => sum + value, 0) / count;
    const variance = normals.reduce((sum, value) => sum + value * value, 0) / count;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.05);
    const firsts = [0, 0, 0, 0];
    for (let draw = 0; draw < count; draw++) firsts[random.shuffle([0, 1, 2, 3])[0]]++;
    for (const times of firsts) expect(Math.abs(times / count - 0.25)).toBeLessThan(0.02);
  });

  it("is the same on every machine: these are sfc32's numbers", () => {
    const random = createRandom(42);
    expect([random.uint32(), random.uint32(), random.uint32()]).toEqual([1959603763, 2423114712, 2466933512]);
  });
});
