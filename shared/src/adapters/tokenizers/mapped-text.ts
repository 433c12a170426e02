/**
 * A text as normalisation has changed it, and where in the original each of its UTF-16 units comes from: the range from
 * `starts` to `ends`, empty for what was put in. Both units of a surrogate pair have the pair's range, and so have all units
 * that several characters became together. Both are null where nothing was changed.
 */
export interface MappedText {
  readonly text: string;
  /** [text.length] */
  readonly starts: ArrayLike<number> | null;
  /** [text.length], ascending */
  readonly ends: ArrayLike<number> | null;
}

export function unmapped(text: string): MappedText {
  return { text, starts: null, ends: null };
}

/** Writes a text anew from left to right, and keeps account of where everything came from. */
export class MappedTextWriter {
  readonly #source: MappedText;
  readonly #parts: string[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  constructor(source: MappedText) {
    this.#source = source;
  }

  keep(from: number, to: number): void {
    const { text, starts, ends } = this.#source;
    this.#parts.push(text.slice(from, to));
    if (starts !== null) {
      for (let unit = from; unit < to; unit++) {
        this.#starts.push(starts[unit]);
        this.#ends.push(ends![unit]);
      }
      return;
    }
    for (let unit = from; unit < to; unit++) {
      const high = isHalf(text, unit, 0xd800);
      const low = isHalf(text, unit, 0xdc00);
      this.#starts.push(low ? unit - 1 : unit);
      this.#ends.push(high ? unit + 2 : unit + 1);
    }
  }

  /** What stood from `from` to `to` becomes `content`; nothing stood there: `content` is put in. */
  replace(from: number, to: number, content: string): void {
    if (this.#source.text.slice(from, to) === content) {
      this.keep(from, to);
      return;
    }
    const start = from < this.#source.text.length ? startOf(this.#source, from) : endOf(this.#source, from);
    const end = from === to ? start : endOf(this.#source, to);
    this.#parts.push(content);
    for (let unit = 0; unit < content.length; unit++) {
      this.#starts.push(start);
      this.#ends.push(end);
    }
  }

  /** What stands before `to` and is dropped, such as an accent, belongs to the character that was written last, if any. */
  absorb(to: number): void {
    const end = endOf(this.#source, to);
    let unit = this.#starts.length - 1;
    // what was put in moves behind it
    for (; unit >= 0 && this.#starts[unit] === this.#ends[unit]; unit--) this.#starts[unit] = this.#ends[unit] = end;
    const [start, before] = [this.#starts[unit], this.#ends[unit]];
    for (; unit >= 0 && this.#starts[unit] === start && this.#ends[unit] === before; unit--) this.#ends[unit] = end;
  }

  finish(): MappedText {
    return { text: this.#parts.join(""), starts: this.#starts, ends: this.#ends };
  }
}

/** @returns where in the original the unit at `unit` begins */
export function startOf({ starts }: MappedText, unit: number): number {
  return starts === null ? unit : starts[unit];
}

/** @returns where in the original what stands before `unit` ends */
export function endOf({ ends }: MappedText, unit: number): number {
  return ends === null || unit === 0 ? unit : ends[unit - 1];
}

/** Writes each character as `rewrite` gives it; "" drops it. The source itself where nothing changes. */
export function mapCharacters(source: MappedText, rewrite: (character: string) => string): MappedText {
  const writer = new MappedTextWriter(source);
  let kept = 0;
  forCharacters(source.text, (character, from, to) => {
    const written = rewrite(character);
    if (written === character) return;
    writer.keep(kept, from);
    if (written !== "") writer.replace(from, to, written);
    kept = to;
  });
  if (kept === 0) return source;
  writer.keep(kept, source.text.length);
  return writer.finish();
}

export function forCharacters(text: string, visit: (character: string, from: number, to: number) => void): void {
  let from = 0;
  for (const character of text) {
    visit(character, from, from + character.length);
    from += character.length;
  }
}

function isHalf(text: string, unit: number, first: number): boolean {
  return (text.charCodeAt(unit) & 0xfc00) === first;
}
