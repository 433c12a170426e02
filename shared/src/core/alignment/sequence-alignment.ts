import { alignByDtw } from "./dtw.ts";
import { alignByGreedyDp } from "./greedy-dp.ts";

export type AlignmentStrategy = "byte-offset" | "dtw" | "greedy-dp";

/** One text in one tokenizer's tokens. T tokens. */
export interface TokenSequence {
  /** [T] each token's string without boundary marks */
  strings: readonly string[];
  /** [T] bytes of the text that have been read once the token is read, never descending */
  ends: ArrayLike<number>;
}

/** Source tokens and target tokens that belong together and to no others; first and last of each. */
export interface Block {
  source: readonly [first: number, last: number];
  target: readonly [first: number, last: number];
}

/**
 * Says which tokens of two tokenisations of one text belong together.
 *
 * @returns for each target token the source tokens it belongs to, ascending; [] where there are none
 * @throws InvalidInputError `SEQUENCES_TOO_LONG`, of `dtw` and `greedy-dp`
 */
export function alignSequences(strategy: AlignmentStrategy, source: TokenSequence, target: TokenSequence): number[][] {
  if (strategy === "byte-offset") return alignByEnds(source.ends, target.ends);
  if (source.strings.length === 0 || target.strings.length === 0) return target.strings.map(() => []);
  const align = strategy === "dtw" ? alignByDtw : alignByGreedyDp;
  return align(source.strings, target.strings).sourcesOfTarget;
}

/**
 * Pairs tokens that end at the same byte; of several of one side that do, the last.
 *
 * @returns for each target token its source token alone, or []
 *
 * Time O(S + T).
 * @example alignByEnds([2, 5, 7], [5, 6, 7]) // [[1], [], [2]]
 */
export function alignByEnds(source: ArrayLike<number>, target: ArrayLike<number>): number[][] {
  const sourcesOfTarget: number[][] = [];
  let from = 0;
  for (let token = 0; token < target.length; token++) {
    const end = target[token];
    const isLast = target[token + 1] !== end;
    // behind either's last token there is nothing, which is neither less nor equal
    while (source[from] < end) from++;
    while (source[from + 1] === end) from++;
    sourcesOfTarget.push(isLast && source[from] === end ? [from] : []);
  }
  return sourcesOfTarget;
}

/**
 * The blocks of an alignment: target tokens that share a source token are in one, with all their source tokens.
 *
 * @param sourcesOfTarget - as {@link alignSequences} gives them
 * @example blocksOf([[0], [1], [1], [2, 3]]).map((block) => block.target) // [[0, 0], [1, 2], [3, 3]]
 */
export function blocksOf(sourcesOfTarget: readonly (readonly number[])[]): Block[] {
  const blocks: { source: [number, number]; target: [number, number] }[] = [];
  sourcesOfTarget.forEach((sources, token) => {
    if (sources.length === 0) return;
    const open = blocks.at(-1);
    const last = sources[sources.length - 1];
    if (open !== undefined && open.target[1] === token - 1 && sources[0] <= open.source[1]) {
      open.source[1] = last;
      open.target[1] = token;
    } else blocks.push({ source: [sources[0], last], target: [token, token] });
  });
  return blocks;
}
