/**
 * Finds tokens by their bytes. Where several tokens stand for the same bytes (`A` and `<0x41>`), the lowest id stands for
 * all of them.
 */
export class TokenIndex {
  readonly #idOf = new Map<string, number>();
  #longest = 0;

  /** @param tokens - [V] bytes by id; null is never found */
  constructor(tokens: readonly (Uint8Array | null)[]) {
    tokens.forEach((bytes, id) => {
      if (bytes === null) return;
      const key = keyOf(bytes);
      if (!this.#idOf.has(key)) this.#idOf.set(key, id);
      this.#longest = Math.max(this.#longest, bytes.length);
    });
  }

  /** The lowest id of a token with these bytes, −1 where there is none. */
  equal(bytes: Uint8Array): number {
    return this.#idOf.get(keyOf(bytes)) ?? -1;
  }

  /** The longest token that the bytes begin with, themselves included; −1 where there is none. */
  longestPrefix(bytes: Uint8Array): number {
    const key = keyOf(bytes);
    for (let length = Math.min(key.length, this.#longest); length > 0; length--) {
      const id = this.#idOf.get(key.slice(0, length));
      if (id !== undefined) return id;
    }
    return -1;
  }
}

/** Bytes as a string of as many characters, for use as a key. */
function keyOf(bytes: Uint8Array): string {
  let key = "";
  for (const byte of bytes) key += String.fromCharCode(byte);
  return key;
}
