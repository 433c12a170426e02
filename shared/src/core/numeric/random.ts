/** A seeded stream of numbers: the same on every machine, for the same seed. */
export interface Random {
  /** @returns a whole number in [0, 2³²) */
  uint32(): number;
  /** @returns a number in [0, 1), a multiple of 2⁻⁵³ */
  next(): number;
  /** @returns a draw of the normal distribution with mean 0 and standard deviation 1 */
  normal(): number;
  /** Shuffles in place (Fisher and Yates). @returns the array itself */
  shuffle<T extends { length: number; [index: number]: unknown }>(array: T): T;
}

/** Draws thrown away after seeding, as sfc32's author advises. */
const WARM_UP = 12;
const TWO_32 = 2 ** 32;

/**
 * sfc32 (Doty-Humphrey's small fast counter), its three words drawn from the seed by splitmix32.
 *
 * @param seed - a whole number in [0, 2⁵³), or any text (hashed by FNV-1a)
 * @example createRandom(1).next() === createRandom(1).next() // true
 */
export function createRandom(seed: number | string): Random {
  let mix = typeof seed === "string" ? hashText(seed) : (seed ^ Math.imul(Math.floor(seed / TWO_32), 0x9e3779b1)) >>> 0;
  const word = () => {
    mix = (mix + 0x9e3779b9) | 0;
    let value = Math.imul(mix ^ (mix >>> 16), 0x21f0aaad);
    value = Math.imul(value ^ (value >>> 15), 0x735a2d97);
    return value ^ (value >>> 15);
  };
  let a = word();
  let b = word();
  let c = word();
  let counter = 1;
  const uint32 = () => {
    const result = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + result;
    c |= 0;
    return result >>> 0;
  };
  for (let draw = 0; draw < WARM_UP; draw++) uint32();
  const next = () => ((uint32() >>> 5) * 67108864 + (uint32() >>> 6)) / 9007199254740992;
  let spare: number | null = null;
  return {
    uint32,
    next,
    normal() {
      if (spare !== null) {
        const kept = spare;
        spare = null;
        return kept;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - next()));
      const angle = 2 * Math.PI * next();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    shuffle(array) {
      const items = array as { length: number; [index: number]: unknown };
      for (let last = items.length - 1; last > 0; last--) {
        const other = Math.floor(next() * (last + 1));
        const held = items[last];
        items[last] = items[other];
        items[other] = held;
      }
      return array;
    },
  };
}

function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193);
  return hash >>> 0;
}
