/** What a tokenizer is made of: pieces in the order of their ids, and merges in the order in which they are applied. */
export interface TrainedBpe {
  pieces: string[];
  merges: [string, string][];
}

export interface BpeTraining {
  /** pieces that come first and never merge: special tokens, byte tokens */
  reserved: readonly string[];
  /** single symbols, in the order of their ids; every symbol of a word must be here to take part in merges */
  alphabet: readonly string[];
  /** pieces in all, reserved and alphabet among them; fewer where nothing is left to merge */
  vocabularySize: number;
}

/**
 * Trains byte pair encoding: again and again the most frequent pair of neighbours becomes one piece.
 *
 * Ties go to the pair whose left, then right piece has the lower id, so equal words give equal tokenizers. A pair that
 * occurs once is never merged. Words are never joined. Pairs are counted anew for each merge: O(merges × letters of all
 * different words), a second for the toy corpora.
 *
 * @param words - word → how often it occurs; a word is cut into symbols by code point
 */
export function trainBpe(words: ReadonlyMap<string, number>, training: BpeTraining): TrainedBpe {
  const pieces = [...training.reserved, ...training.alphabet];
  const idOf = new Map(pieces.map((piece, id) => [piece, id]));
  const merges: [string, string][] = [];
  let rows = [...words].map(([word, count]) => ({
    ids: Array.from(word, (symbol) => idOf.get(symbol) ?? -1),
    count,
  }));

  while (pieces.length < training.vocabularySize) {
    rows = rows.filter((row) => row.ids.length > 1);
    const best = mostFrequentPair(rows);
    if (best === null) break;
    const [left, right] = best;
    const piece = pieces[left]! + pieces[right]!;
    const known = idOf.get(piece);
    const id = known ?? pieces.length;
    if (known === undefined) {
      idOf.set(piece, id);
      pieces.push(piece);
    }
    merges.push([pieces[left]!, pieces[right]!]);
    for (const row of rows) row.ids = joinPair(row.ids, left, right, id);
  }
  return { pieces, merges };
}

/** Pairs are numbered left × 2²⁰ + right, which is exact and orders ties by id. */
const PAIR_BASE = 2 ** 20;

function mostFrequentPair(rows: readonly { ids: readonly number[]; count: number }[]): [number, number] | null {
  const counts = new Map<number, number>();
  for (const { ids, count } of rows)
    for (let index = 0; index + 1 < ids.length; index++) {
      const left = ids[index]!;
      const right = ids[index + 1]!;
      if (left < 0 || right < 0) continue;
      const pair = left * PAIR_BASE + right;
      counts.set(pair, (counts.get(pair) ?? 0) + count);
    }
  let best = -1;
  let bestCount = 1;
  for (const [pair, count] of counts)
    if (count > bestCount || (count === bestCount && best >= 0 && pair < best)) {
      best = pair;
      bestCount = count;
    }
  return best < 0 ? null : [Math.floor(best / PAIR_BASE), best % PAIR_BASE];
}

function joinPair(ids: readonly number[], left: number, right: number, joined: number): number[] {
  const out: number[] = [];
  for (let index = 0; index < ids.length; index++)
    if (ids[index] === left && ids[index + 1] === right) {
      out.push(joined);
      index++;
    } else out.push(ids[index]!);
  return out;
}
