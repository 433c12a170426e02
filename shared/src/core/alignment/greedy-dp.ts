import { checkSequences } from "./sequence-limits.ts";

/** A stretch of target tokens and the stretch of source tokens that writes the same characters; ends included. */
export interface Span {
  target: readonly [first: number, last: number];
  source: readonly [first: number, last: number];
}

/** By which step a cell is reached. */
const STEP = { source: 0, target: 1, span: 2 } as const;

/**
 * Aligns two tokenisations of the same text by the spans of tokens that write the same characters, such that most target
 * tokens lie in one. Of the spans that end at a pair of tokens only the shortest counts.
 *
 * Exactly FATE-LLM's `greedy_dp`, which is not in the paper, with what it does at the beginning of a text: a span of more
 * than one token that begins with either sequence's first token is not found, and to leave the text's beginning unmatched
 * counts as one target token.
 *
 * @param source - tokens of the model whose knowledge is translated; S ≥ 1, boundary marks removed
 * @param target - tokens of the model that learns from it; T ≥ 1, likewise
 * @returns the spans in order, and for each target token the source tokens of its span, [] outside all spans
 * @throws InvalidInputError `EMPTY_SEQUENCE`, `SEQUENCES_TOO_LONG`
 *
 * Time O(S · T), times the tokens of a span where one character fills the text; memory 5 bytes a pair of tokens.
 * @see FATE-LLM token_alignment/token_align.py, greedy_dynamic_matching
 * @example alignByGreedyDp(["a", "un", "happy"], ["a", "unhappy"]).sourcesOfTarget // [[0], [1, 2]]
 */
export function alignByGreedyDp(
  source: readonly string[],
  target: readonly string[],
): { spans: Span[]; sourcesOfTarget: number[][] } {
  checkSequences(source, target, "greedy-dp");
  const width = source.length;
  const span = new SpanFinder(source, target);
  const steps = new Uint8Array(target.length * width);
  // matched target tokens of the first `line` target and `column` source tokens
  const covered = new Int32Array((target.length + 1) * (width + 1));
  covered.fill(1, 0, width + 1);
  const kinds = new Map<string, number>();
  for (const token of source) if (!kinds.has(token)) kinds.set(token, kinds.size);
  const sourceKinds = Int32Array.from(source, (token) => kinds.get(token)!);
  for (let line = 0; line < target.length; line++) {
    const kind = kinds.get(target[line]) ?? -1;
    const above = line * (width + 1);
    const here = above + width + 1;
    for (let column = 0; column < width; column++) {
      const withoutTarget = covered[above + column + 1];
      const withoutSource = covered[here + column];
      let most = withoutSource;
      let step: number = STEP.source;
      if (withoutTarget > most) {
        most = withoutTarget;
        step = STEP.target;
      }
      const equal = kind === sourceKinds[column];
      if (equal || span.find(line, column)) {
        const targets = equal ? 1 : span.targets;
        const sources = equal ? 1 : span.sources;
        const withSpan = covered[here + column + 1 - targets * (width + 1) - sources] + targets;
        if (withSpan >= most) {
          most = withSpan;
          step = STEP.span;
        }
      }
      covered[here + column + 1] = most;
      steps[line * width + column] = step;
    }
  }
  return followBack(steps, source, target, span);
}

function followBack(
  steps: Uint8Array,
  source: readonly string[],
  target: readonly string[],
  span: SpanFinder,
): { spans: Span[]; sourcesOfTarget: number[][] } {
  const spans: Span[] = [];
  const sourcesOfTarget = Array.from(target, (): number[] => []);
  let line = target.length - 1;
  let column = source.length - 1;
  while (line >= 0 && column >= 0) {
    const step = steps[line * source.length + column];
    if (step === STEP.source) column--;
    else if (step === STEP.target) line--;
    else {
      const longer = span.find(line, column);
      const first = {
        target: line + 1 - (longer ? span.targets : 1),
        source: column + 1 - (longer ? span.sources : 1),
      };
      spans.push({ target: [first.target, line], source: [first.source, column] });
      const sources = Array.from({ length: column - first.source + 1 }, (_, index) => first.source + index);
      for (let token = first.target; token <= line; token++) sourcesOfTarget[token] = [...sources];
      line = first.target - 1;
      column = first.source - 1;
    }
  }
  spans.reverse();
  return { spans, sourcesOfTarget };
}

/** A sequence's characters, and where in them each token ends. */
interface Spelling {
  points: Int32Array;
  ends: Int32Array;
}

function spell(tokens: readonly string[]): Spelling {
  const ends = new Int32Array(tokens.length);
  const points: number[] = [];
  tokens.forEach((token, index) => {
    for (const character of token) points.push(character.codePointAt(0)!);
    ends[index] = points.length;
  });
  return { points: Int32Array.from(points), ends };
}

/**
 * The shortest span that ends with two given tokens: both take their last token, then whichever is shorter
 * takes one more, until both have as many characters; it is a span if these are the same.
 */
class SpanFinder {
  /** tokens of the span that was found last */
  targets = 0;
  sources = 0;
  readonly #source: Spelling;
  readonly #target: Spelling;

  constructor(source: readonly string[], target: readonly string[]) {
    this.#source = spell(source);
    this.#target = spell(target);
  }

  find(lastTarget: number, lastSource: number): boolean {
    const { points: sourcePoints, ends: sourceEnds } = this.#source;
    const { points: targetPoints, ends: targetEnds } = this.#target;
    const targetEnd = targetEnds[lastTarget];
    const sourceEnd = sourceEnds[lastSource];
    // tokens before the span
    let before = lastTarget;
    let beforeSource = lastSource;
    let compared = 0;
    // The reference's loop ends at either beginning, before it has asked whether this is a span.
    while (before > 0 && beforeSource > 0) {
      const length = targetEnd - targetEnds[before - 1];
      const sourceLength = sourceEnd - sourceEnds[beforeSource - 1];
      // also where the source's tokens do not reach yet: in a span they will
      while (compared < length) {
        compared++;
        if (targetPoints[targetEnd - compared] !== sourcePoints[sourceEnd - compared]) return false;
      }
      if (length === sourceLength) {
        this.targets = lastTarget + 1 - before;
        this.sources = lastSource + 1 - beforeSource;
        return true;
      }
      if (length < sourceLength) before--;
      else beforeSource--;
    }
    return false;
  }
}
