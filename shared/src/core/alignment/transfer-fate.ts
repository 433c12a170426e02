import type { VocabularyMap } from "../knowledge.ts";
import { BOUNDARY_MARKS, boundaryMarkOf } from "./boundary-mark.ts";
import type { Vocabularies } from "./match-blocks.ts";
import { type AlignmentStrategy, blocksOf } from "./sequence-alignment.ts";
import { type SpellToken, tokenSpeller } from "./token-strings.ts";

/** Scores of tokens at one position: logits, or log-probabilities, which are logits too. */
export interface TokenScores {
  ids: ArrayLike<number>;
  scores: ArrayLike<number>;
}

/** What a target position learns, in the reference's order; `isLabel`: the token itself, for want of a source. */
export interface TransferredScores extends TokenScores {
  isLabel: boolean;
}

/** FATE-LLM's comparison of tokens by their strings, and the map's ids for its map of strings. */
export class FateTransfer {
  readonly #map: VocabularyMap;
  readonly #spellTarget: SpellToken;
  /** boundary marks as the target writes them */
  readonly #respell: SpellToken;
  readonly #targetMark: string;
  readonly #marksFirstToken: boolean;
  readonly #sourceStrings: readonly (string | null)[];
  #sourceOfRespelt: Map<string, number> | null = null;
  /** for each target token the last row in which it was found, so that a second find is known */
  readonly #rowOfToken: Int32Array;
  #row = 0;

  constructor(map: VocabularyMap, { source, target }: Vocabularies) {
    this.#map = map;
    this.#rowOfToken = new Int32Array(map.groupOfTarget.length);
    this.#sourceStrings = source.strings;
    this.#targetMark = boundaryMarkOf(target.strings);
    this.#spellTarget = tokenSpeller(target, this.#targetMark);
    this.#respell = tokenSpeller(source, this.#targetMark);
    // The reference asks for GPT-2's and GPT-NeoX's classes; a tokenizer.json tells their mark, not their class.
    this.#marksFirstToken = boundaryMarkOf(source.strings) === BOUNDARY_MARKS.byteLevel;
  }

  /**
   * FATE-LLM's `transform_step_logits`, number for number, with its defects: where a target token has not exactly one source
   * token, or one of another string, it learns itself (not the token that follows); of source tokens that map to one target
   * token the first counts; after `greedy-dp` the first token of a span, not its last, receives the mean of what the source
   * says after each of the span's tokens.
   *
   * Where the reference stops with an error, at a source id that its tokenizer has not got, the id is passed over.
   *
   * @param sourcesOfTarget - the alignment, as {@link alignSequences} gives it
   * @param scoresAt - what the source says after one of its tokens, likeliest first; null where that is not known
   * @returns for each target token what it learns; null where the source's part is not known
   * @see FATE-LLM token_alignment/token_align.py, transform_step_logits
   */
  transfer(
    strategy: AlignmentStrategy,
    sourceIds: ArrayLike<number>,
    targetIds: ArrayLike<number>,
    sourcesOfTarget: readonly (readonly number[])[],
    scoresAt: (sourceToken: number) => TokenScores | null,
  ): (TransferredScores | null)[] {
    const itself = (token: number): TransferredScores => ({ ids: [targetIds[token]], scores: [1], isLabel: true });
    if (strategy === "greedy-dp") {
      const rows: (TransferredScores | null)[] = sourcesOfTarget.map((_, token) => itself(token));
      for (const { source, target } of blocksOf(sourcesOfTarget))
        rows[target[0]] = this.#carry(meanScores(source[0], source[1], scoresAt));
      return rows;
    }
    return sourcesOfTarget.map((sources, token) => {
      const isOne = sources.length === 1;
      return isOne && this.#isSameToken(sourceIds[sources[0]], targetIds[token], token === 0)
        ? this.#carry(scoresAt(sources[0]))
        : itself(token);
    });
  }

  #isSameToken(source: number, target: number, isFirst: boolean): boolean {
    const mark = this.#targetMark;
    const targetString = this.#spellTarget(target);
    const sourceString = this.#respell(source);
    if (isFirst && this.#marksFirstToken && targetString.startsWith(mark) && !sourceString.startsWith(mark)) {
      const marked = mark + sourceString;
      const id = this.#sourceIdOf(marked);
      return targetString === marked || (id !== undefined && this.#map.targetOfSource[id] === target);
    }
    return targetString === sourceString || this.#map.targetOfSource[source] === target;
  }

  #sourceIdOf(respelt: string): number | undefined {
    if (this.#sourceOfRespelt === null) {
      this.#sourceOfRespelt = new Map();
      for (let id = 0; id < this.#sourceStrings.length; id++)
        if (this.#sourceStrings[id] !== null) this.#sourceOfRespelt.set(this.#respell(id), id);
    }
    return this.#sourceOfRespelt.get(respelt);
  }

  #carry(known: TokenScores | null): TransferredScores | null {
    if (known === null) return null;
    const ids: number[] = [];
    const scores: number[] = [];
    this.#row++;
    for (let k = 0; k < known.ids.length; k++) {
      const to = this.#map.targetOfSource[known.ids[k]] ?? -1;
      if (to < 0 || this.#rowOfToken[to] === this.#row) continue;
      this.#rowOfToken[to] = this.#row;
      ids.push(to);
      scores.push(known.scores[k]);
    }
    return { ids, scores, isLabel: false };
  }
}

/** Each id's mean over the positions that have it, in order of first occurrence; null where no position is known. */
function meanScores(
  first: number,
  last: number,
  scoresAt: (sourceToken: number) => TokenScores | null,
): TokenScores | null {
  if (first === last) return scoresAt(first);
  const sums = new Map<number, { sum: number; count: number }>();
  for (let token = first; token <= last; token++) {
    const known = scoresAt(token);
    if (known === null) continue;
    for (let k = 0; k < known.ids.length; k++) {
      const entry = sums.get(known.ids[k]);
      if (entry === undefined) sums.set(known.ids[k], { sum: known.scores[k], count: 1 });
      else {
        entry.sum += known.scores[k];
        entry.count++;
      }
    }
  }
  if (sums.size === 0) return null;
  return { ids: [...sums.keys()], scores: Array.from(sums.values(), ({ sum, count }) => sum / count) };
}
