/**
 * Seeded randomness for the toy corpora (mulberry32): the same seed gives the same text on every machine.
 * Not for cryptography.
 */
export class SeededRandom {
  #state: number;

  /** @param seed - any text; hashed with FNV-1a, so that streams are named by what they are for */
  constructor(seed: string) {
    let hash = 0x811c9dc5;
    for (let index = 0; index < seed.length; index++) hash = Math.imul(hash ^ seed.charCodeAt(index), 0x01000193);
    this.#state = hash >>> 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  /** Uniform in 0 … bound − 1. */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  /** The index of a weight, drawn in proportion to the weights, which sum to 1. */
  weighted(weights: readonly number[]): number {
    let rest = this.next();
    for (let index = 0; index < weights.length - 1; index++) {
      rest -= weights[index]!;
      if (rest < 0) return index;
    }
    return weights.length - 1;
  }

  /** `count` different values, in drawn order; the given array is left as it is. */
  sample<T>(values: readonly T[], count: number): T[] {
    const rest = [...values];
    for (let index = 0; index < count; index++) {
      const other = index + this.below(rest.length - index);
      [rest[index], rest[other]] = [rest[other]!, rest[index]!];
    }
    return rest.slice(0, count);
  }
}
