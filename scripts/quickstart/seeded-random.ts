import { createRandom, type Random } from "../../shared/src/core/numeric/random.ts";

/** What a grammar draws: choices and samples, from the project's one seeded stream of numbers. */
export class SeededRandom {
  readonly #random: Random;

  /** @param seed - any text, so that streams are named by what they are for */
  constructor(seed: string) {
    this.#random = createRandom(seed);
  }

  /** Uniform in [0, 1). */
  next(): number {
    return this.#random.next();
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
