import { invariant } from "../errors.ts";
import { utf8Length } from "./utf8-length.ts";

/** The longest UTF-8 character: a shorter piece could hold none. */
const LONGEST_CHARACTER_BYTES = 4;

/**
 * Cuts a text at white space into the longest pieces that fit, from the beginning on. Inside a piece nothing changes; white
 * space (JavaScript's `\s`) at its ends is left out, and a piece of nothing else vanishes. A word that alone is too long begins
 * a piece of its own and is cut between code points; its rest goes on with the words after it.
 *
 * @param sampleBytes - largest length of a piece in UTF-8 bytes, at least 4
 *
 * Time O(n).
 * @example cutText("the  cat sat", 8) // ["the  cat", "sat"]
 */
export function cutText(text: string, sampleBytes: number): string[] {
  invariant(
    sampleBytes >= LONGEST_CHARACTER_BYTES,
    "SAMPLE_BYTES",
    `expected sampleBytes of at least 4, got ${sampleBytes}`,
  );
  const pieces: string[] = [];
  let begin = 0;
  let end = 0;
  let bytes = 0;
  const close = () => {
    if (end > begin) pieces.push(text.slice(begin, end));
  };
  for (const word of text.matchAll(/\S+/gu)) {
    const wordEnd = word.index + word[0].length;
    const wordBytes = utf8Length(word[0]);
    const gapBytes = utf8Length(text, end, word.index);
    if (end > begin && bytes + gapBytes + wordBytes <= sampleBytes) bytes += gapBytes + wordBytes;
    else {
      close();
      begin = word.index;
      bytes = wordBytes;
      while (bytes > sampleBytes) {
        end = endWithin(text, begin, sampleBytes);
        bytes -= utf8Length(text, begin, end);
        close();
        begin = end;
      }
    }
    end = wordEnd;
  }
  close();
  return pieces;
}

/** The last code point boundary at most so many bytes after `begin`. */
function endWithin(text: string, begin: number, maxBytes: number): number {
  let end = begin;
  let bytes = 0;
  for (;;) {
    const units = text.codePointAt(end)! > 0xffff ? 2 : 1;
    bytes += utf8Length(text, end, end + units);
    if (bytes > maxBytes) return end;
    end += units;
  }
}
