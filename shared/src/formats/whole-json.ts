import type { InvalidInputError } from "../core/errors.ts";
import { findJsonKeyProblem } from "./json-keys.ts";
import { findJsonMistake } from "./json-mistake.ts";

/**
 * A whole file of JSON from outside. What it holds is never repeated: a mistake is told by its place.
 *
 * @param maxDepth - the deepest nesting
 * @param refuse - the error that tells the file and what is wrong with it
 * @throws what `refuse` makes, where the bytes are no UTF-8, no JSON (a byte order mark is none), nested deeper, or give a key of one object twice
 *
 * Time and memory O(bytes).
 */
export function parseWholeJson(
  bytes: Uint8Array,
  maxDepth: number,
  refuse: (reason: string) => InvalidInputError,
): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refuse("expected UTF-8, got other bytes");
  }
  const problem = findJsonKeyProblem(text, maxDepth, (_, at) => `at character ${at + 1}`);
  if (problem !== null) throw refuse(problem);
  try {
    return JSON.parse(text);
  } catch {
    const at = findJsonMistake(text);
    throw refuse(at === null ? "expected JSON" : `expected JSON: character ${at + 1} does not fit`);
  }
}
