/**
 * Text out of tokens as they come. A character whose bytes are spread over tokens is given out once it is whole; what is no UTF-8
 * becomes U+FFFD. Where a text ends generation, nothing is given out that might be its beginning, until that is decided.
 *
 * @example
 * const stream = new TextStream({ stop: "\n", dropsSpace: false });
 * stream.take(bytesOf("On")); // "On"
 */
export class TextStream {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #stop: string | null;
  #dropsSpace: boolean;
  #held = "";
  #stopped = false;

  /**
   * @param stop - text that ends generation and is not given out; null: none
   * @param dropsSpace - whether a space at the very beginning is the tokenizer's own, and no part of the text
   */
  constructor({ stop, dropsSpace }: { stop: string | null; dropsSpace: boolean }) {
    this.#stop = stop;
    this.#dropsSpace = dropsSpace;
  }

  /** Whether the stop text has come: there is nothing more. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** @param token - the next token's bytes; null: a special token, which is no text. @returns what is certain now, perhaps nothing */
  take(token: Uint8Array | null): string {
    return token === null ? "" : this.#give(this.#decoder.decode(token, { stream: true }), false);
  }

  /** @returns what was held back, since no more tokens come */
  end(): string {
    return this.#give(this.#decoder.decode(), true);
  }

  #give(text: string, last: boolean): string {
    let fresh = text;
    if (this.#dropsSpace && fresh !== "") {
      this.#dropsSpace = false;
      if (fresh.startsWith(" ")) fresh = fresh.slice(1);
    }
    this.#held += fresh;
    const stop = this.#stop;
    const at = stop === null ? -1 : this.#held.indexOf(stop);
    if (at >= 0) this.#stopped = true;
    const certain = at >= 0 ? at : this.#held.length - (last || stop === null ? 0 : begunLength(this.#held, stop));
    const given = this.#held.slice(0, certain);
    this.#held = this.#held.slice(certain);
    return given;
  }
}

/** @returns the length of the longest end of `text` that `stop` begins with */
function begunLength(text: string, stop: string): number {
  for (let length = Math.min(stop.length - 1, text.length); length > 0; length--)
    if (text.endsWith(stop.slice(0, length))) return length;
  return 0;
}
