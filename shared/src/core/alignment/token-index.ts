/** FNV-1a's, as the signed number that `Math.imul` and the table hold. */
const SEED = 0x811c9dc5 | 0;
/** Numbers of a slot. */
const SLOT = 2;

/**
 * Finds tokens by their bytes. Where several tokens stand for the same bytes (`A` and `<0x41>`), the lowest id stands for
 * all of them.
 */
export class TokenIndex {
  readonly #tokens: readonly (Uint8Array | null)[];
  /** open addressing: an id + 1, 0 where free, and its hash, side by side, at the first free slot from the hash on */
  readonly #slots: Int32Array;
  #longest = 0;
  /** [V] the lowest id of a token of the same bytes; −1 for null */
  readonly lowest: Int32Array;

  /** @param tokens - [V] bytes by id; null is never found */
  constructor(tokens: readonly (Uint8Array | null)[]) {
    this.#tokens = tokens;
    this.#slots = new Int32Array(SLOT << (33 - Math.clz32(tokens.length)));
    this.lowest = new Int32Array(tokens.length).fill(-1);
    for (let id = 0; id < tokens.length; id++) {
      const bytes = tokens[id];
      if (bytes === null) continue;
      const hash = hashOf(bytes);
      const slot = this.#slotOf(bytes, bytes.length, hash);
      if (this.#slots[slot] === 0) {
        this.#slots[slot] = id + 1;
        this.#slots[slot + 1] = hash;
      }
      this.lowest[id] = this.#slots[slot] - 1;
      this.#longest = Math.max(this.#longest, bytes.length);
    }
  }

  /** The lowest id of a token with these bytes, −1 where there is none. */
  equal(bytes: Uint8Array): number {
    return this.#slots[this.#slotOf(bytes, bytes.length, hashOf(bytes))] - 1;
  }

  /** The longest token that the bytes begin with, themselves included; −1 where there is none. */
  longestPrefix(bytes: Uint8Array): number {
    let found = -1;
    let hash = SEED;
    for (let length = 1; length <= bytes.length && length <= this.#longest; length++) {
      hash = hashOn(hash, bytes[length - 1]);
      const id = this.#slots[this.#slotOf(bytes, length, hash)] - 1;
      if (id >= 0) found = id;
    }
    return found;
  }

  /** The slot of the token that has so many of these bytes, or the free one where it would be. */
  #slotOf(bytes: Uint8Array, length: number, hash: number): number {
    const slots = this.#slots;
    const last = slots.length - SLOT;
    for (let slot = ((hash ^ (hash >>> 15)) << 1) & last; ; slot = (slot + SLOT) & last) {
      if (slots[slot] === 0) return slot;
      if (slots[slot + 1] !== hash) continue;
      const token = this.#tokens[slots[slot] - 1]!;
      if (token.length !== length) continue;
      let index = 0;
      while (index < length && token[index] === bytes[index]) index++;
      if (index === length) return slot;
    }
  }
}

/** FNV-1a. */
function hashOn(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}

function hashOf(bytes: Uint8Array): number {
  let hash = SEED;
  for (let index = 0; index < bytes.length; index++) hash = hashOn(hash, bytes[index]);
  return hash;
}
