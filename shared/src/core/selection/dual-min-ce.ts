import { InvariantError } from "../errors.ts";

export interface SourceLosses {
  party: string;
  /** [S] bits per byte */
  lossPerByte: Float64Array;
}

export interface SelectedSources {
  /** [S] index into the sources, or −1: nobody is better than the target itself */
  winner: Int32Array;
  /** samples won by each source */
  countBySource: number[];
  /** samples on which nobody is better */
  none: number;
  /** mean over samples of (target's loss − least source's loss), bits per byte; 0 without samples or sources */
  meanGap: number;
}

/**
 * DualMinCE: for each sample the source with the least loss, and that only where it is strictly less than the target's own.
 * A tie between sources goes to the first; a source that merely equals the target is not selected, nor is a loss that is
 * not a number.
 *
 * @param targetLossPerByte - [S] bits per byte of the answer, since sums over tokens do not compare between tokenizers
 * @param sources - one for a client (the server), all clients for the server
 *
 * Time O(S · sources).
 * @see Fan et al., "FedMKT", COLING 2025, algorithm 2
 * @example selectKnowledge(Float64Array.of(2, 1), [{ party: "a", lossPerByte: Float64Array.of(1.5, 1) }]).winner // [0, -1]
 */
export function selectKnowledge(targetLossPerByte: Float64Array, sources: readonly SourceLosses[]): SelectedSources {
  const samples = targetLossPerByte.length;
  for (const { party, lossPerByte } of sources)
    if (lossPerByte.length !== samples)
      throw new InvariantError(
        "SAMPLES_DIFFER",
        `selectKnowledge: expected ${samples} losses of ${party}, got ${lossPerByte.length}`,
      );
  const winner = new Int32Array(samples).fill(-1);
  const countBySource = sources.map(() => 0);
  let none = 0;
  let gaps = 0;
  for (let sample = 0; sample < samples; sample++) {
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let source = 0; source < sources.length; source++) {
      const loss = sources[source].lossPerByte[sample];
      if (loss < least) {
        least = loss;
        best = source;
      }
    }
    if (best >= 0) gaps += targetLossPerByte[sample] - least;
    if (best >= 0 && least < targetLossPerByte[sample]) {
      winner[sample] = best;
      countBySource[best]++;
    } else none++;
  }
  return { winner, countBySource, none, meanGap: samples === 0 ? 0 : gaps / samples };
}
