import { compilePattern } from "./library-parts.ts";
import { forCharacters, type MappedText, MappedTextWriter, mapCharacters } from "./mapped-text.ts";
import type { JsonObject } from "./parse-json-object.ts";
import { createPrecompiledNormalizer } from "./precompiled-normalizer.ts";
import { invalid, unsupported } from "./tokenizer-errors.ts";

export type Normalize = (source: MappedText) => MappedText;

const WHITE_SPACE = /^\p{White_Space}$/u;
const MARK = /^\p{M}$/u;
const NONSPACING_MARK = /^\p{Mn}$/u;
const OTHER = /^[\p{Cc}\p{Cf}\p{Co}\p{Cs}]$/u;
/** As the reference implementation has them, its gap from U+2B820 on included. */
const CHINESE =
  /^[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]$/u;
/**
 * Characters that Unicode normalisation may join with, or sort among, what stands before them: marks, Hangul's medial and
 * final letters, and two vowel signs of Kirat Rai, the only letters that compose (a test goes through all characters).
 */
const JOINS = /^[\p{M}\u1160-\u11ff\u{16d63}\u{16d67}-\u{16d6a}]/u;

/**
 * A normalizer's steps, each of which knows where what it writes comes from. Where `@huggingface/tokenizers` and the Rust library that
 * tokenizers are made with differ (final sigma, white space, control characters, precompiled maps), they follow the latter.
 *
 * @param steps - of `normalizer`, sequences taken apart
 * @throws InvalidInputError `TOKENIZER_UNSUPPORTED`, `INVALID_TOKENIZER`
 */
export function createNormalizer(steps: readonly JsonObject[], what: string): Normalize {
  const normalizers = steps.map((step) => createStep(step, what));
  return (source) => normalizers.reduce((text, normalize) => normalize(text), source);
}

function createStep(step: JsonObject, what: string): Normalize {
  switch (step.type) {
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
      return (source) => normalizeUnicode(source, step.type as UnicodeForm);
    case "Lowercase":
      return lowerCase;
    case "StripAccents":
      return (source) => dropMarks(source, MARK);
    case "BertNormalizer":
      return createBertNormalizer(step);
    case "Nmt":
      return (source) => mapCharacters(source, rewriteForNmt);
    case "Precompiled":
      return createPrecompiledNormalizer(step, what);
    case "Strip":
      return (source) => strip(source, step.strip_left === true, step.strip_right === true);
    case "Replace":
      return createReplace(step, what);
    case "Prepend":
      return (source) => prepend(source, String(step.prepend));
    default:
      throw unsupported(what, `normalizer ${JSON.stringify(step)}`);
  }
}

type UnicodeForm = "NFC" | "NFD" | "NFKC" | "NFKD";

/** Normalises runs that nothing outside can join, so that each run's range is known. */
function normalizeUnicode(source: MappedText, form: UnicodeForm): MappedText {
  const { text } = source;
  if (text.normalize(form) === text) return source;
  const writer = new MappedTextWriter(source);
  let begin = 0;
  forCharacters(text, (character, from) => {
    if (from === begin || (character >= "\u0300" && joins(character))) return;
    normalizeRun(writer, text, begin, from, form);
    begin = from;
  });
  normalizeRun(writer, text, begin, text.length, form);
  return writer.finish();
}

/** Only what lies between the characters that stay as they are, at the run's begin and end, has the range of all of it. */
function normalizeRun(writer: MappedTextWriter, text: string, from: number, to: number, form: UnicodeForm): void {
  const run = [...text.slice(from, to)];
  const written = [...text.slice(from, to).normalize(form)];
  const shorter = Math.min(run.length, written.length);
  let before = 0;
  while (before < shorter && run[before] === written[before]) before++;
  let after = 0;
  while (after < shorter - before && run.at(-1 - after) === written.at(-1 - after)) after++;
  const start = from + run.slice(0, before).join("").length;
  const end = to - run.slice(run.length - after).join("").length;
  writer.keep(from, start);
  writer.replace(start, end, written.slice(before, written.length - after).join(""));
  writer.keep(end, to);
}

/** Whether Unicode normalisation may join the character with, or sort it among, what stands before it. */
export function joins(character: string): boolean {
  return JOINS.test(character) || JOINS.test(character.normalize("NFKD"));
}

/** Character by character: a sigma at a word's end is no other than one within. */
function lowerCase(source: MappedText): MappedText {
  return mapCharacters(source, (character) => character.toLowerCase());
}

function dropMarks(source: MappedText, mark: RegExp): MappedText {
  const writer = new MappedTextWriter(source);
  let kept = 0;
  forCharacters(source.text, (character, from, to) => {
    if (character < "\u0300" || !mark.test(character)) return;
    writer.keep(kept, from);
    writer.absorb(to);
    kept = to;
  });
  if (kept === 0) return source;
  writer.keep(kept, source.text.length);
  return writer.finish();
}

function createBertNormalizer(step: JsonObject): Normalize {
  const lower = step.lowercase !== false;
  const stripsAccents = typeof step.strip_accents === "boolean" ? step.strip_accents : lower;
  return (source) => {
    let text = source;
    if (step.clean_text !== false) text = mapCharacters(text, cleanCharacter);
    if (step.handle_chinese_chars !== false) text = spaceChinese(text);
    if (stripsAccents) text = dropMarks(normalizeUnicode(text, "NFD"), NONSPACING_MARK);
    return lower ? lowerCase(text) : text;
  };
}

function cleanCharacter(character: string): string {
  if (character > " " && character <= "~") return character;
  if (character === "\t" || character === "\n" || character === "\r") return " ";
  if (character === "\ufffd" || OTHER.test(character)) return "";
  return WHITE_SPACE.test(character) ? " " : character;
}

function spaceChinese(source: MappedText): MappedText {
  const writer = new MappedTextWriter(source);
  let kept = 0;
  forCharacters(source.text, (character, from, to) => {
    if (character < "\u3400" || !CHINESE.test(character)) return;
    writer.keep(kept, from);
    writer.replace(from, from, " ");
    writer.keep(from, to);
    writer.replace(to, to, " ");
    kept = to;
  });
  if (kept === 0) return source;
  writer.keep(kept, source.text.length);
  return writer.finish();
}

/** NMT's rules keep neither control characters, but for those that part words, nor marks of direction. */
function rewriteForNmt(character: string): string {
  if (/^(?![\u0080-\u008e\u0090-\u009e\0\t\n\f\r])\p{Cc}$/u.test(character)) return "";
  return /^[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]$/u.test(character) ? " " : character;
}

function strip(source: MappedText, left: boolean, right: boolean): MappedText {
  const { text } = source;
  let from = 0;
  let to = text.length;
  while (left && from < to && WHITE_SPACE.test(text[from])) from++;
  while (right && to > from && WHITE_SPACE.test(text[to - 1])) to--;
  if (from === 0 && to === text.length) return source;
  const writer = new MappedTextWriter(source);
  writer.keep(from, to);
  return writer.finish();
}

function createReplace(step: JsonObject, what: string): Normalize {
  const { pattern, content } = step;
  if (typeof content !== "string") throw invalid(what, `expected a content, got normalizer ${JSON.stringify(step)}`);
  const expression = compilePattern(pattern, what);
  return (source) => {
    const writer = new MappedTextWriter(source);
    let kept = 0;
    let found = false;
    for (const match of source.text.matchAll(expression)) {
      const to = match.index + match[0].length;
      writer.keep(kept, match.index);
      writer.replace(match.index, to, content);
      kept = to;
      found = true;
    }
    if (!found) return source;
    writer.keep(kept, source.text.length);
    return writer.finish();
  };
}

function prepend(source: MappedText, content: string): MappedText {
  if (source.text === "") return source;
  const writer = new MappedTextWriter(source);
  writer.replace(0, 0, content);
  writer.keep(0, source.text.length);
  return writer.finish();
}
