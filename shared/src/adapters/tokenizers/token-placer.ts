import type { InvalidInputError } from "../../core/errors.ts";
import { endOf, type MappedText, startOf } from "./mapped-text.ts";
import type { Piece } from "./pre-tokenizers.ts";
import type { WrittenWord } from "./word-model.ts";

/**
 * Collects a text's tokens with the byte of the text at which each ends.
 *
 * A token ends where the last character that it writes, or begins to write, ends in the text; within a character that is written as it
 * stands, at its byte. What is dropped belongs to the token after it, at the text's end to the last one.
 */
export class TokenPlacer {
  readonly #text: string;
  readonly #rewrites: boolean;
  /** null where every character is one byte */
  readonly #byteOfUnit: Int32Array | null;
  readonly #bytes: number;
  readonly #ids: number[] = [];
  readonly #ends: number[] = [];
  #startEnd: -1 | 0 = 0;
  #reached = 0;
  /** the byte from which on there is no token */
  #missing = -1;

  /** @param rewrites - whether pieces may have other characters than the normalised text has */
  constructor(text: string, rewrites: boolean) {
    this.#text = text;
    this.#rewrites = rewrites;
    this.#bytes = Buffer.byteLength(text);
    this.#byteOfUnit = this.#bytes === text.length ? null : byteOffsets(text);
  }

  /** How many tokens there are. */
  get count(): number {
    return this.#ids.length;
  }

  /** @param to - the unit of the normalised text at which the added token ends */
  placeAdded(id: number, normalized: MappedText, offset: number, to: number): void {
    this.#push(id, this.#byteAt(offset + endOf(normalized, to)));
  }

  /** @param offset - the unit of the text from which on `normalized` was made */
  place(piece: Piece, word: WrittenWord, normalized: MappedText, offset: number): void {
    const { ids, ends } = word;
    const start = this.#byteAt(offset + startOf(normalized, piece.from));
    if (this.#ids.length === 0 && start === 0) {
      const { starts, ends: unitEnds } = normalized;
      if (piece.added === 1 || (starts !== null && starts[piece.from] === unitEnds![piece.from])) this.#startEnd = -1;
    }
    if (normalized.ends === null && !this.#rewrites && piece.added === 0) {
      for (let token = 0; token < ids.length; token++) this.#push(ids[token], start + ends[token]);
      return;
    }
    const { text, from, added } = piece;
    let unit = 0;
    let before = 0;
    let position = 0;
    for (let token = 0; token < ids.length; token++) {
      while (position < ends[token]) {
        const code = text.codePointAt(unit)!;
        before = unit;
        position += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        unit += code < 0x10000 ? 1 : 2;
      }
      // the units of the normalised text that the last character has, written or begun
      const first = from + before - added;
      const end = from + unit - added;
      if (end <= from) this.#push(ids[token], start);
      else {
        const left = position - ends[token];
        const whole = this.#byteAt(offset + endOf(normalized, end));
        this.#push(ids[token], left > 0 && this.#isKept(normalized, first, end, offset) ? whole - left : whole);
      }
    }
  }

  /** @throws InvalidInputError where the text has characters but no token, or a character has none */
  finish(refuse: (byte: number, reason: string) => InvalidInputError): {
    ids: Int32Array;
    ends: Int32Array;
    startEnd: -1 | 0;
  } {
    if (this.#missing >= 0) throw refuse(this.#missing, "the tokenizer has no token for what stands there");
    if (this.#ids.length === 0 && this.#bytes > 0) throw refuse(0, "the tokenizer drops every character of it");
    const ends = Int32Array.from(this.#ends);
    if (ends.length > 0) ends[ends.length - 1] = this.#bytes;
    return { ids: Int32Array.from(this.#ids), ends, startEnd: this.#startEnd };
  }

  #push(id: number, end: number): void {
    if (id < 0 && this.#missing < 0) this.#missing = this.#reached;
    this.#ids.push(id);
    this.#ends.push(end);
    this.#reached = end;
  }

  #byteAt(unit: number): number {
    return this.#byteOfUnit === null ? unit : this.#byteOfUnit[unit];
  }

  /** Whether a character of the normalised text stands in the text as it is. */
  #isKept(normalized: MappedText, from: number, to: number, offset: number): boolean {
    const start = offset + startOf(normalized, from);
    const end = offset + endOf(normalized, to);
    return this.#text.slice(start, end) === normalized.text.slice(from, to);
  }
}

/** @returns for each unit of the text, and its end, the UTF-8 byte at which it begins */
function byteOffsets(text: string): Int32Array {
  const offsets = new Int32Array(text.length + 1);
  let position = 0;
  for (let unit = 0; unit < text.length; unit++) {
    offsets[unit] = position;
    const code = text.charCodeAt(unit);
    if (code < 0x80) position += 1;
    else if (code < 0x800) position += 2;
    else if ((code & 0xfc00) === 0xd800) {
      position += 4;
      offsets[++unit] = position;
    } else position += 3;
  }
  offsets[text.length] = position;
  return offsets;
}
