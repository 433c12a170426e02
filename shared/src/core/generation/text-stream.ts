/**
 * Text out of tokens as they come. A character whose bytes are spread over tokens is given out once it is whole; what is no UTF-8
 * becomes U+FFFD. Where texts end generation, nothing is given out that might be the beginning of one, until that is decided.
 *
 * The text ends before the stop text that is complete first; of those that are complete at the same place, before the longest. So it
 * does not matter how the text is cut into tokens.
 *
 * @example
 * const stream = new TextStream({ stop: ["\n"], dropsSpace: false });
 * stream.take(bytesOf("On")); // "On"
 */
export class TextStream {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #stop: readonly string[];
  #dropsSpace: boolean;
  #held = "";
  #given = 0;
  #stopped = false;

  /**
   * @param stop - texts that end generation and are not given out
   * @param dropsSpace - whether a space at the very beginning is the tokenizer's own, and no part of the text
   */
  constructor({ stop, dropsSpace }: { stop: readonly string[]; dropsSpace: boolean }) {
    this.#stop = stop;
    this.#dropsSpace = dropsSpace;
  }

  /** Whether a stop text has come: there is nothing more. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Length of the text that has come, given out or held back, in UTF-16 units: where the next token's text begins. */
  get length(): number {
    return this.#given + this.#held.length;
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
    const at = beginOfStop(this.#held, this.#stop);
    this.#stopped = at !== null;
    const certain = at ?? this.#held.length - (last ? 0 : begunLength(this.#held, this.#stop));
    const given = this.#held.slice(0, certain);
    this.#held = this.#held.slice(certain);
    this.#given += given.length;
    return given;
  }
}

/** @returns where the stop text begins that ends first, the longest of those that end there; null where none is in the text */
function beginOfStop(text: string, stop: readonly string[]): number | null {
  let begin: number | null = null;
  let end = Number.POSITIVE_INFINITY;
  for (const one of stop) {
    const at = text.indexOf(one);
    if (at < 0 || at + one.length > end) continue;
    begin = at + one.length === end ? Math.min(begin!, at) : at;
    end = at + one.length;
  }
  return begin;
}

/** @returns the length of the longest end of `text` that one of `stop` begins with */
function begunLength(text: string, stop: readonly string[]): number {
  let longest = 0;
  for (const one of stop)
    for (let length = Math.min(one.length - 1, text.length); length > longest; length--)
      if (text.endsWith(one.slice(0, length))) longest = length;
  return longest;
}
