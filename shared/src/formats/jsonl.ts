import { InvalidInputError } from "../core/errors.ts";
import { findJsonKeyProblem } from "./json-keys.ts";
import { findJsonMistake } from "./json-mistake.ts";

/** Longest line and most lines of a file, unless the caller says less: a book as one record, ten million short records. */
export const MAX_LINE_BYTES = 64 * 1024 * 1024;
export const MAX_LINES = 10_000_000;
/** Deeper than any data set's record; deep nesting is how JSON exhausts a reader. */
const MAX_DEPTH = 32;
const NEWLINE = 0x0a;

export interface JsonLine {
  /** 1-based */
  line: number;
  value: unknown;
}

/**
 * Reads JSON Lines, one value at a time. Every line holds one; the last may or may not end in a newline. A carriage return
 * before the newline is white space. Errors say where, never what: a line may be private.
 *
 * @param what - the file as errors name it
 * @param firstLine - the number of the first line, where the bytes are a part of the file
 * @throws InvalidInputError `JSONL_EMPTY_LINE`, `JSONL_INVALID_UTF8`, `JSONL_INVALID_JSON`, `JSONL_TOO_LONG`
 */
export function* readJsonLines(
  bytes: Uint8Array,
  what: string,
  {
    maxLineBytes = MAX_LINE_BYTES,
    maxLines = MAX_LINES,
    firstLine = 1,
  }: { maxLineBytes?: number; maxLines?: number; firstLine?: number } = {},
): Generator<JsonLine> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let begin = 0;
  for (let line = firstLine; begin < bytes.length; line++) {
    const refuse = (code: string, reason: string) => new InvalidInputError(code, `${what}, line ${line}: ${reason}`);
    if (line > maxLines) throw refuse("JSONL_TOO_LONG", `expected at most ${maxLines} lines, got more`);
    const newline = bytes.indexOf(NEWLINE, begin);
    const end = newline < 0 ? bytes.length : newline;
    if (end - begin > maxLineBytes)
      throw refuse("JSONL_TOO_LONG", `expected a line of at most ${maxLineBytes} bytes, got ${end - begin}`);
    let text: string;
    try {
      text = decoder.decode(bytes.subarray(begin, end));
    } catch {
      throw refuse("JSONL_INVALID_UTF8", "expected UTF-8, got other bytes");
    }
    if (text.trim() === "") throw refuse("JSONL_EMPTY_LINE", "expected a JSON object, got an empty line");
    yield { line, value: parseLine(text, refuse) };
    begin = end + 1;
  }
}

/** One value a line, each ended by a newline. */
export function writeJsonLines(values: Iterable<unknown>): Uint8Array {
  let text = "";
  for (const value of values) text += `${JSON.stringify(value)}\n`;
  return new TextEncoder().encode(text);
}

function parseLine(text: string, refuse: (code: string, reason: string) => InvalidInputError): unknown {
  if (text.startsWith("\ufeff")) throw refuse("JSONL_INVALID_JSON", "expected JSON, got a byte order mark before it");
  const problem = findJsonKeyProblem(text, MAX_DEPTH, (_, at) => `at column ${at + 1}`);
  if (problem !== null) throw refuse("JSONL_INVALID_JSON", problem);
  try {
    return JSON.parse(text);
  } catch {
    const at = findJsonMistake(text);
    throw refuse("JSONL_INVALID_JSON", at === null ? "expected JSON" : `expected JSON: column ${at + 1} does not fit`);
  }
}
