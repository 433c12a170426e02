import { InvalidInputError } from "../core/errors.ts";
import { placeInFile } from "../core/samples/place-in-file.ts";
import { describeValue } from "./describe-value.ts";
import { readJsonLines } from "./jsonl.ts";
import { parseWholeJson } from "./whole-json.ts";

/** Longest file that is one JSON value: it is held as text and as a value at once. */
const MAX_JSON_BYTES = 256 * 1024 * 1024;
const MAX_DEPTH = 32;

/** A row of a raw data set, its fields as they stand. */
export interface RawRow {
  /** 1-based: the line of a .jsonl file, the row's place in a .json file */
  line: number;
  /** where it stands, as errors name it */
  place: string;
  fields: Readonly<Record<string, unknown>>;
}

/**
 * The rows of a raw data set: of a `.jsonl` file its lines; of a `.json` file the list that it is, or, where it is one object, the
 * list under `rows`, each row with the object's other keys beside its own.
 *
 * @param rows - keys under which such a list may stand
 * @throws InvalidInputError `DATASET_INVALID` naming the line or row; `JSONL_…`
 */
export function* readRawRows(bytes: Uint8Array, name: string, rows: readonly string[]): Generator<RawRow> {
  if (name.endsWith(".jsonl")) {
    for (const { line, value } of readJsonLines(bytes, name)) yield rowOf(value, line, placeInFile(name, line), {});
    return;
  }
  const refuse = (reason: string) => new InvalidInputError("DATASET_INVALID", `${name}: ${reason}`);
  if (!name.endsWith(".json")) throw refuse("expected a .jsonl or .json file, whose rows a template reads");
  if (bytes.length > MAX_JSON_BYTES)
    throw refuse(`expected a .json file of at most ${MAX_JSON_BYTES} bytes, got ${bytes.length}; .jsonl may be longer`);
  const value = parseWholeJson(bytes, MAX_DEPTH, refuse);
  const [list, shared] = listOf(value, rows, refuse);
  for (const [index, row] of list.entries()) yield rowOf(row, index + 1, placeInFile(name, index + 1), shared);
}

function rowOf(value: unknown, line: number, place: string, shared: Readonly<Record<string, unknown>>): RawRow {
  if (!isObject(value))
    throw new InvalidInputError("DATASET_INVALID", `${place}: expected an object, got ${describeValue(value)}`);
  return { line, place, fields: { ...shared, ...value } };
}

function listOf(
  value: unknown,
  keys: readonly string[],
  refuse: (reason: string) => InvalidInputError,
): [readonly unknown[], Record<string, unknown>] {
  if (Array.isArray(value)) return [value, {}];
  const key = isObject(value) ? keys.find((candidate) => Array.isArray(value[candidate])) : undefined;
  const others = keys.map((candidate) => `, or an object with a list ${candidate}`).join("");
  if (key === undefined) throw refuse(`expected a list of rows${others}, got ${describeValue(value)}`);
  const { [key]: list, ...shared } = value as Record<string, unknown>;
  return [list as unknown[], shared];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
