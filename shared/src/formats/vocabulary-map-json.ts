import type { VocabularyMap } from "../core/knowledge.ts";
import { MAX_VOCABULARY } from "../core/model-limits.ts";
import { describeValue } from "./describe-value.ts";
import { findJsonKeyProblem } from "./json-keys.ts";
import { type Refuse, refuseWith } from "./named-tensors.ts";
import { quote } from "./quote.ts";
import { parseMapRule } from "./vocabulary-map.ts";

/** A million entries of two numbers take 20 MB. */
export const MAX_MAP_JSON_BYTES = 64 * 1024 * 1024;
/** The object, its entries, an entry. */
const DEPTH = 3;
/** An entry counts for three. */
const MAX_VALUES = 3 * MAX_VOCABULARY + 8;
/** Longest name of a tokenizer. */
const MAX_NAME_CHARACTERS = 4096;
const KEYS = ["rule", "source", "target", "entries"] as const;

/** A vocabulary map as other programs read it: where each token goes and how far that is; no kinds and no groups. */
export interface PlainVocabularyMap extends Pick<VocabularyMap, "rule" | "targetOfSource" | "distance"> {
  /** what tells the two tokenizers: file and hash */
  source: string;
  target: string;
}

/** `{"rule", "source", "target", "entries": [[targetId, distance], …]}` by source id, −1 for a token that maps nowhere. */
export function writeVocabularyMapJson({
  rule,
  source,
  target,
  targetOfSource,
  distance,
}: PlainVocabularyMap): Uint8Array {
  const entries = Array.from(targetOfSource, (id, token) => [id, distance[token]]);
  return new TextEncoder().encode(`${JSON.stringify({ rule, source, target, entries })}\n`);
}

/** Whether a JSON value is meant as a vocabulary map. */
export function isVocabularyMapJson(value: unknown): value is Record<(typeof KEYS)[number], unknown> {
  return typeof value === "object" && value !== null && Object.keys(value).sort().join() === KEYS.toSorted().join();
}

/**
 * Reads what {@link writeVocabularyMapJson} wrote, or another program.
 *
 * @param what - the file as errors name it
 * @throws InvalidInputError `MAP_INVALID`
 */
export function readVocabularyMapJson(bytes: Uint8Array, what: string): PlainVocabularyMap {
  const refuse = refuseWith("MAP_INVALID", what);
  if (bytes.length > MAX_MAP_JSON_BYTES)
    throw refuse(`expected at most ${MAX_MAP_JSON_BYTES} bytes, got ${bytes.length}`);
  let value: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const problem = findJsonKeyProblem(text, DEPTH, quote, MAX_VALUES);
    if (problem !== null) throw new Error(problem);
    value = JSON.parse(text);
  } catch (error) {
    throw refuse(`expected JSON in UTF-8: ${(error as Error).message}`);
  }
  if (!isVocabularyMapJson(value))
    throw refuse(`expected an object of ${KEYS.join(", ")}, got ${describeValue(value)}`);
  const { entries } = value;
  if (!Array.isArray(entries) || entries.length > MAX_VOCABULARY)
    throw refuse(`entries: expected a list of at most ${MAX_VOCABULARY}, got ${describeValue(entries)}`);
  const map: PlainVocabularyMap = {
    rule: parseMapRule(value.rule, refuse),
    source: parseName(value.source, "source", refuse),
    target: parseName(value.target, "target", refuse),
    targetOfSource: new Int32Array(entries.length),
    distance: new Int32Array(entries.length),
  };
  entries.forEach((entry: unknown, token) => {
    const [target, distance] = Array.isArray(entry) && entry.length === 2 ? entry : [];
    if (!isWithin(target, -1, MAX_VOCABULARY - 1) || !isWithin(distance, 0, target === -1 ? 0 : MAX_DISTANCE))
      throw refuse(`entries[${token}]: expected [target id or −1, distance], got ${quote(entry)}`);
    map.targetOfSource[token] = target;
    map.distance[token] = distance;
  });
  return map;
}

const MAX_DISTANCE = 2 ** 31 - 1;

function isWithin(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function parseName(value: unknown, name: string, refuse: Refuse): string {
  if (typeof value === "string" && value.length <= MAX_NAME_CHARACTERS) return value;
  throw refuse(`${name}: expected a text of at most ${MAX_NAME_CHARACTERS} characters, got ${describeValue(value)}`);
}
