import type { AddedToken } from "./tokenizer-definition.ts";

/** A stretch of text that is an added token, or what lies between two (`token` null). */
export interface Section {
  from: number;
  to: number;
  token: AddedToken | null;
}

/**
 * Finds added tokens in a text: of those that begin first, the longest. `single_word` leaves out what has letters beside it; `lstrip` and
 * `rstrip` take the white space beside it into the token.
 *
 * @param tokens - by how they stand in the text
 */
export function createSplitter(tokens: ReadonlyMap<string, AddedToken>): (text: string) => Section[] {
  if (tokens.size === 0) return (text) => [{ from: 0, to: text.length, token: null }];
  const contents = [...tokens.keys()].sort((one, other) => other.length - one.length);
  const pattern = new RegExp(
    contents.map((content) => content.replace(/[\\^$.*+?()[\]{}|/]/gu, "\\$&")).join("|"),
    "gu",
  );
  return (text) => {
    const sections: Section[] = [];
    let reached = 0;
    for (const match of text.matchAll(pattern)) {
      const token = tokens.get(match[0])!;
      let from = match.index;
      let to = from + match[0].length;
      // what the token before has taken
      if (from < reached || (token.singleWord && isInWord(text, from, to))) continue;
      if (token.stripsLeft) while (from > reached && WHITE_SPACE.test(text[from - 1])) from--;
      if (token.stripsRight) while (to < text.length && WHITE_SPACE.test(text[to])) to++;
      if (from > reached) sections.push({ from: reached, to: from, token: null });
      sections.push({ from, to, token });
      reached = to;
    }
    if (reached < text.length) sections.push({ from: reached, to: text.length, token: null });
    return sections;
  };
}

const WHITE_SPACE = /\p{White_Space}/u;
const WORD_BEFORE = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const WORD_AFTER = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;

function isInWord(text: string, from: number, to: number): boolean {
  return WORD_BEFORE.test(text.slice(Math.max(0, from - 2), from)) || WORD_AFTER.test(text.slice(to, to + 2));
}
