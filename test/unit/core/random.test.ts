import { describe, expect, it } from "@jest/globals";
import { createRandom } from "../../../shared/src/core/numeric/random.ts";

const draws = <Number>(count: number, draw: () => Number) => Array.from({ length: count }, draw);

describe("a seeded stream", () => {
  it.each([
    ["", 0x811c9dc5],
    ["a", 0xe40c292c],
    ["foobar", 0xbf9cf968],
  ])("from a text is that of the text's FNV-1a hash: %j", (text, hash) => {
    expect(draws(3, createRandom(text).uint32)).toEqual(draws(3, createRandom(hash).uint32));
  });

  it.each([
    [0, 2899526011],
    [1, 2420951833],
    [2 ** 32, 2158855931],
    [2 ** 32 + 1, 1771943286],
    [2 ** 53 - 1, 3249740072],
  ])("takes all 53 bits of its seed: %d", (seed, first) => {
    expect(createRandom(seed).uint32()).toBe(first);
  });

  it("makes a number of two words: 27 bits of the first, 26 of the second", () => {
    const [first, second] = draws(2, createRandom(5).uint32);
    const value = createRandom(5).next();
    expect(Math.floor(value * 2 ** 27)).toBe(first >>> 5);
    expect((value * 2 ** 53) % 2 ** 26).toBe(second >>> 6);
  });

  it("draws normals in pairs, by Box and Muller", () => {
    const { next } = createRandom(5);
    const pairs = draws(2, () => {
      const radius = Math.sqrt(-2 * Math.log(1 - next()));
      const angle = 2 * Math.PI * next();
      return [radius * Math.cos(angle), radius * Math.sin(angle)];
    });
    expect(draws(4, createRandom(5).normal)).toEqual(pairs.flat());
  });

  it("shuffles from the end on, and needs a draw less than there are items", () => {
    const stream = createRandom(3);
    const items = [..."abcdefgh"];
    const expected = [...items];
    const { next } = createRandom(3);
    for (const last of [7, 6, 5, 4, 3, 2, 1]) {
      const other = Math.floor(next() * (last + 1));
      [expected[last], expected[other]] = [expected[other], expected[last]];
    }
    expect(stream.shuffle(items)).toBe(items);
    expect(items).toEqual(expected);
    expect(stream.next()).toBe(next());
    expect(createRandom(3).shuffle(Int32Array.of(7))).toEqual(Int32Array.of(7));
  });
});
