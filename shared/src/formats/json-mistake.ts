const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const LITERAL = /true|false|null/y;
const SPACE = /[ \t\n\r]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const FIRST_PRINTABLE = " ";

/**
 * Where a text stops being JSON. JSON.parse says so too, but quotes the text, which may be private.
 *
 * @param json - nested no deeper than the stack allows: `findJsonKeyProblem` comes first
 * @returns the index of the first part that does not fit (json.length where the text ends too early), or null for JSON
 *
 * Time O(n).
 */
export function findJsonMistake(json: string): number | null {
  const text: Cursor = { json, at: 0 };
  if (!takeValue(text)) return text.at;
  take(text, SPACE);
  return text.at === json.length ? null : text.at;
}

interface Cursor {
  json: string;
  at: number;
}

function take(text: Cursor, pattern: RegExp): boolean {
  pattern.lastIndex = text.at;
  if (!pattern.test(text.json)) return false;
  text.at = pattern.lastIndex;
  return true;
}

/** Takes white space, then the character, if it is there. */
function takeMark(text: Cursor, mark: string): boolean {
  take(text, SPACE);
  if (text.json[text.at] !== mark) return false;
  text.at++;
  return true;
}

function takeValue(text: Cursor): boolean {
  if (takeMark(text, "{")) return takeList(text, "}", takeEntry);
  if (takeMark(text, "[")) return takeList(text, "]", takeValue);
  if (text.json[text.at] === '"') return takeString(text);
  return take(text, NUMBER) || take(text, LITERAL);
}

function takeList(text: Cursor, end: string, takeItem: (text: Cursor) => boolean): boolean {
  if (takeMark(text, end)) return true;
  do if (!takeItem(text)) return false;
  while (takeMark(text, ","));
  return takeMark(text, end);
}

function takeEntry(text: Cursor): boolean {
  return takeString(text) && takeMark(text, ":") && takeValue(text);
}

/** Character by character: a pattern's repetition has a stack, and a string may have millions of characters. */
function takeString(text: Cursor): boolean {
  if (!takeMark(text, '"')) return false;
  for (;;) {
    const character = text.json[text.at];
    if (character === undefined || character < FIRST_PRINTABLE) return false;
    if (character === "\\") {
      if (!take(text, ESCAPE)) return false;
    } else {
      text.at++;
      if (character === '"') return true;
    }
  }
}
