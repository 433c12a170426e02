import { compilePattern } from "./library-parts.ts";
import type { JsonObject } from "./parse-json-object.ts";
import { invalid, unsupported } from "./tokenizer-errors.ts";

/** A word as the model gets it. Its unit `added + k` is the normalised text's unit `from + k`. */
export interface Piece {
  text: string;
  from: number;
  /** 1 where the first unit is a space, or its mark, that is not in the text */
  added: 0 | 1;
}

export interface PreTokenizer {
  /** @param first - whether the text begins what is tokenised: some put a space only there */
  split(text: string, first: boolean): Piece[];
  /** whether pieces are written otherwise than the text */
  rewrites: boolean;
}

type Step = (piece: Piece, first: boolean) => Piece[];

const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const PUNCTUATION = "\\p{P}!-/:-@\\[-`{-~";
const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";
const SPACE = "\\p{White_Space}";
const BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] as const;

type Behavior = (typeof BEHAVIORS)[number];

/**
 * A pre-tokenizer's steps with the place of each piece. Patterns are compiled by `@huggingface/tokenizers`; what the pieces are follows the
 * Rust library, from which it differs in digits, punctuation, white space and merged splits.
 *
 * @param steps - of `pre_tokenizer`, sequences taken apart
 * @throws InvalidInputError `TOKENIZER_UNSUPPORTED`, `INVALID_TOKENIZER`
 */
export function createPreTokenizer(steps: readonly JsonObject[], what: string): PreTokenizer {
  const run = steps.flatMap((step) => createSteps(step, what));
  return {
    rewrites: steps.some((step) => step.type === "Metaspace"),
    split: (text, first) => {
      if (text === "") return [];
      return run.reduce<Piece[]>(
        (pieces, step) => pieces.flatMap((piece) => step(piece, first && piece.from === 0)),
        [{ text, from: 0, added: 0 }],
      );
    },
  };
}

function createSteps(step: JsonObject, what: string): Step[] {
  const matched = (pattern: RegExp, behavior: Behavior, invert = false): Step[] => [
    (piece) => split(piece, pattern, behavior, invert),
  ];
  switch (step.type) {
    case "ByteLevel":
      return [
        ...(step.add_prefix_space === true ? [(piece: Piece) => [addSpace(piece, " ")]] : []),
        ...(step.use_regex === false ? [] : matched(compilePattern({ Regex: GPT2 }, what), "Isolated")),
      ];
    case "Metaspace":
      return createMetaspace(step, what);
    case "Whitespace":
      return matched(new RegExp(`[${WORD}]+|[^${WORD}${SPACE}]+`, "gu"), "Removed", true);
    case "WhitespaceSplit":
      return matched(new RegExp(`${SPACE}`, "gu"), "Removed");
    case "BertPreTokenizer":
      return [
        ...matched(new RegExp(`${SPACE}`, "gu"), "Removed"),
        ...matched(new RegExp(`[${PUNCTUATION}]`, "gu"), "Isolated"),
      ];
    case "Punctuation":
      return matched(new RegExp(`[${PUNCTUATION}]`, "gu"), behaviorOf(step.behavior ?? "Isolated", what));
    case "Digits":
      return matched(/\p{N}/gu, step.individual_digits === true ? "Isolated" : "Contiguous");
    case "CharDelimiterSplit":
      return matched(compilePattern({ String: step.delimiter }, what), "Removed");
    case "Split":
      return matched(compilePattern(step.pattern, what), behaviorOf(step.behavior, what), step.invert === true);
    default:
      throw unsupported(what, `pre-tokenizer ${JSON.stringify(step)}`);
  }
}

function behaviorOf(value: unknown, what: string): Behavior {
  const known = BEHAVIORS.find((behavior) => behavior === value);
  if (known === undefined)
    throw invalid(
      what,
      `expected a split's behavior to be one of ${BEHAVIORS.join(", ")}, got ${JSON.stringify(value)}`,
    );
  return known;
}

/** Older files say add_prefix_space; newer ones prepend_scheme, whose default is "always". */
function createMetaspace(step: JsonObject, what: string): Step[] {
  const mark = String(step.replacement ?? "▁");
  if (mark.length !== 1) throw unsupported(what, `pre-tokenizer ${JSON.stringify(step)}`);
  const scheme = step.add_prefix_space === false ? "never" : (step.prepend_scheme ?? "always");
  const before = new RegExp(mark.replace(/[\\^$.*+?()[\]{}|/]/u, "\\$&"), "gu");
  const write: Step = (piece, first) => {
    const marked = { ...piece, text: piece.text.replaceAll(" ", mark) };
    return [scheme === "always" || (scheme === "first" && first) ? addSpace(marked, mark) : marked];
  };
  return step.split === false ? [write] : [write, (piece) => split(piece, before, "MergedWithNext", false)];
}

function addSpace(piece: Piece, space: string): Piece {
  return piece.text.startsWith(space) ? piece : { ...piece, text: space + piece.text, added: 1 };
}

function split(piece: Piece, pattern: RegExp, behavior: Behavior, invert: boolean): Piece[] {
  const { text } = piece;
  const pieces: Piece[] = [];
  const push = (from: number, to: number) => {
    if (from === to) return;
    const { added } = piece;
    pieces.push({
      text: text.slice(from, to),
      from: piece.from + Math.max(0, from - added),
      added: from < added ? 1 : 0,
    });
  };
  for (const [from, to] of merge(rangesOf(text, pattern), behavior, invert)) push(from, to);
  return pieces;
}

type Range = [from: number, to: number, matched: boolean];

function rangesOf(text: string, pattern: RegExp): Range[] {
  const ranges: Range[] = [];
  let reached = 0;
  // Much faster than one match after the other, and enough where nothing lies between the matches, as most patterns have it.
  const matches: string[] = text.match(pattern) ?? [];
  for (const match of matches) {
    if (match === "") break;
    ranges.push([reached, reached + match.length, true]);
    reached += match.length;
  }
  if (reached === text.length && ranges.length === matches.length) return ranges;
  ranges.length = 0;
  reached = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > reached) ranges.push([reached, match.index, false]);
    reached = match.index + match[0].length;
    ranges.push([match.index, reached, true]);
  }
  if (reached < text.length) ranges.push([reached, text.length, false]);
  return ranges;
}

function merge(ranges: Range[], behavior: Behavior, invert: boolean): Range[] {
  const isDelimiter = (range: Range) => range[2] !== invert;
  if (behavior === "Isolated") return ranges;
  if (behavior === "Removed") return ranges.filter((range) => !isDelimiter(range));
  const merged: Range[] = [];
  const ordered = behavior === "MergedWithNext" ? ranges.toReversed() : ranges;
  let previous: Range | null = null;
  for (const range of ordered) {
    const joined =
      previous !== null &&
      (behavior === "Contiguous"
        ? isDelimiter(previous) === isDelimiter(range)
        : isDelimiter(range) && !isDelimiter(previous));
    const last = merged.at(-1);
    if (joined && last !== undefined) {
      last[0] = Math.min(last[0], range[0]);
      last[1] = Math.max(last[1], range[1]);
    } else merged.push([...range]);
    previous = range;
  }
  return behavior === "MergedWithNext" ? merged.reverse() : merged;
}
