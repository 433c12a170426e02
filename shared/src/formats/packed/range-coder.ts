/**
 * An adaptive binary range coder: each yes-or-no question is answered at the price of −log₂ of the probability that its model
 * gave the answer. Integers alone, so that every machine and every language comes to the same bytes.
 *
 * A model is one number: the probability of a yes in 65,536ths, times 256, plus how often it was asked.
 */
export const EVEN_ODDS = 32_768 << 8;
/** No answer is ever taken for impossible: a model stays this far from 0 and from 65,536. */
const LEAST = 32;
const MOST = 65_504;
/** A model keeps learning at the pace of its so-manieth question. */
const LONGEST_MEMORY = 255;
const RENEWAL = 1 << 24;

/** By how much of the way, in 32,768ths, a model goes towards the answer to its question number n. */
const PACE = Int32Array.from({ length: LONGEST_MEMORY + 1 }, (_, n) => Math.floor(327_680 / (10 * n + 16)));

/** Writes answers or reads them: one program for both directions, so that the two cannot drift apart. */
export interface BitCoder {
  readonly models: Int32Array;
  /**
   * @param model - index of the question's model
   * @param bit - the answer; what is given is not looked at when reading
   * @returns the answer
   */
  code(model: number, bit: number): number;
}

export function newModels(count: number): Int32Array {
  return new Int32Array(count).fill(EVEN_ODDS);
}

/** Lets a model learn an answer. */
export function learn(models: Int32Array, model: number, bit: number, memory: number): void {
  const state = models[model];
  const probability = state >> 8;
  const asked = state & 255;
  const next = probability + ((((bit === 0 ? LEAST : MOST) - probability) * PACE[asked]) >> 15);
  models[model] = (next << 8) | (asked < memory ? asked + 1 : asked);
}

export class RangeEncoder implements BitCoder {
  readonly models: Int32Array;
  #low = 0;
  #range = -1;
  #bytes = new Uint8Array(1 << 16);
  #length = 0;

  constructor(models: Int32Array) {
    this.models = models;
  }

  code(model: number, bit: number): number {
    const bound = Math.imul(this.#range >>> 16, this.models[model] >> 8);
    if (bit === 0) {
      const low = (this.#low + bound) | 0;
      if (low >>> 0 < bound >>> 0) this.#carry();
      this.#low = low;
      this.#range = (this.#range - bound) | 0;
    } else this.#range = bound;
    learn(this.models, model, bit, LONGEST_MEMORY);
    while (this.#range >>> 0 < RENEWAL) {
      this.#put(this.#low >>> 24);
      this.#low <<= 8;
      this.#range <<= 8;
    }
    return bit;
  }

  /** What was written, to its last byte; nothing may be coded after it. */
  finish(): Uint8Array {
    for (let shift = 24; shift >= 0; shift -= 8) this.#put((this.#low >>> shift) & 255);
    return this.#bytes.subarray(0, this.#length);
  }

  #put(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length++] = byte;
  }

  #carry(): void {
    let at = this.#length - 1;
    while (this.#bytes[at] === 255) this.#bytes[at--] = 0;
    this.#bytes[at]++;
  }
}

/** Reads any bytes without failing: past the end come zeros, and {@link excess} says so. */
export class RangeDecoder implements BitCoder {
  readonly models: Int32Array;
  readonly #bytes: Uint8Array;
  #at = 0;
  #range = -1;
  #code = 0;

  constructor(models: Int32Array, bytes: Uint8Array) {
    this.models = models;
    this.#bytes = bytes;
    for (let byte = 0; byte < 4; byte++) this.#code = (this.#code << 8) | this.#next();
  }

  code(model: number, _bit: number): number {
    const bound = Math.imul(this.#range >>> 16, this.models[model] >> 8);
    let bit: number;
    if (this.#code >>> 0 < bound >>> 0) {
      this.#range = bound;
      bit = 1;
    } else {
      this.#code = (this.#code - bound) | 0;
      this.#range = (this.#range - bound) | 0;
      bit = 0;
    }
    learn(this.models, model, bit, LONGEST_MEMORY);
    while (this.#range >>> 0 < RENEWAL) {
      this.#code = (this.#code << 8) | this.#next();
      this.#range <<= 8;
    }
    return bit;
  }

  /** Bytes read beyond the last (above 0: the stream ends early) or not yet read (below 0). */
  get excess(): number {
    return this.#at - this.#bytes.length;
  }

  #next(): number {
    const byte = this.#at < this.#bytes.length ? this.#bytes[this.#at] : 0;
    this.#at++;
    return byte;
  }
}
