import { type AlignedKnowledge, type Knowledge, MAPPED, type VocabularyMap } from "../knowledge.ts";
import { exponential } from "../numeric/exponential.ts";
import type { MatchedPositions, Positions } from "./match-positions.ts";

/** Mass too small to teach anything goes to the tail, so that entries do not swell with zeros. */
export const LEAST_MASS = 1e-12;

export interface CarrySettings {
  /** `group`: entries are the map's groups; `token`: the target's token ids */
  learn: "group" | "token";
  temperature: number;
  /** whether what was kept is divided by its sum, so that nothing is left for a tail; default false */
  renormalise?: boolean;
}

/** Pairs of which some have no source: there the target learns one entry alone. */
export interface CarriedPositions extends MatchedPositions {
  /** [A] where `source` is −1, the entry that is learned; default: none is −1 */
  labels?: Int32Array;
}

/**
 * Carries a source's next-token probabilities over to the target at the paired positions, by the vocabulary map. Mass of
 * source tokens that map to the same target token or group is summed; mass that maps nowhere, is below {@link LEAST_MASS} or
 * was cut off by top-K is the tail. At each position entries and tail sum to 1.
 *
 * A temperature T tempers the source once, here: p^(1/T) over the kept tokens and the tail, the tail being taken as one
 * token, renormalised. That is exact for T = 1 and for a tail of one token; a tail of many small ones would weigh more at
 * T > 1 than it is given here, which keeps the emphasis on what was kept.
 *
 * A position that is paired but whose mass all maps nowhere is left out, and counts in `alignedPositions` all the same.
 * Source ids beyond the map (rows of the model that the tokenizer has no token for) map nowhere. A label is no aligned
 * position, and counts in no statistic.
 *
 * Time and memory O(A + E), E the source's entries at the A pairs.
 */
export function carryMass(
  source: Knowledge,
  target: Positions,
  matched: CarriedPositions,
  map: VocabularyMap,
  { learn, temperature, renormalise = false }: CarrySettings,
): AlignedKnowledge {
  const pairs = matched.source.length;
  const { entryOffsets: sourceOffsets, topIds, topLogProbs, tailMass } = source;
  const destinations = destinationsOf(map, learn);
  const tokens = destinations.length;
  const size = learn === "group" ? map.groups : map.groupOfTarget.length;

  const samples = matched.offsets.length - 1;
  const positionOffsets = new Int32Array(samples + 1);
  const positions = new Int32Array(pairs);
  const entryOffsets = new Int32Array(pairs + 1);
  let most = 0;
  let alignedPositions = 0;
  for (const row of matched.source) {
    const count = row < 0 ? 1 : sourceOffsets[row + 1] - sourceOffsets[row];
    if (row >= 0) alignedPositions++;
    most += Math.min(count, size);
  }
  const entries = new Int32Array(most);
  const probabilities = new Float32Array(most);
  const tail = new Float32Array(pairs);

  const sums = new Float64Array(size);
  // which of them are not 0, a bit each, and a bit for each word of these: found in ascending order, without sorting
  const words = new Int32Array((size + 31) >>> 5);
  const summary = new Int32Array((words.length + 31) >>> 5);
  const exponent = 1 / temperature;
  let keptMass = 0;
  let exactMass = 0;
  let unmappedMass = 0;
  let aligned = 0;
  let entry = 0;
  for (let sample = 0; sample < samples; sample++) {
    for (let pair = matched.offsets[sample]; pair < matched.offsets[sample + 1]; pair++) {
      const row = matched.source[pair];
      const start = entry;
      if (row < 0) {
        entries[entry] = matched.labels![pair];
        probabilities[entry] = 1;
        entry++;
      } else {
        const first = sourceOffsets[row];
        const stop = sourceOffsets[row + 1];
        // relative to the likeliest, so that no temperature makes everything vanish
        const peak = temperature === 1 ? 0 : Math.max(topLogProbs[first], Math.log(tailMass[row]));
        let total = temperature === 1 ? tailMass[row] : exponential((Math.log(tailMass[row]) - peak) * exponent);
        let exact = 0;
        let unmapped = 0;
        for (let k = first; k < stop; k++) {
          const mass = exponential((topLogProbs[k] - peak) * exponent);
          total += mass;
          const id = topIds[k];
          const destination = id < tokens ? destinations[id] : NOWHERE;
          if (destination === NOWHERE) {
            unmapped += mass;
            continue;
          }
          const to = destination >> 1;
          words[to >>> 5] |= 1 << (to & 31);
          summary[to >>> 10] |= 1 << ((to >>> 5) & 31);
          sums[to] += mass;
          // not by a branch: which tokens are exact no processor can foresee
          exact += mass * (destination & EXACT);
        }
        const share = 1 / total;
        let kept = 0;
        for (let above = 0; above < summary.length; above++) {
          for (let rest = summary[above]; rest !== 0; rest &= rest - 1) {
            const word = (above << 5) | lowestBit(rest);
            let bits = words[word];
            do {
              const to = (word << 5) | lowestBit(bits);
              const mass = sums[to] * share;
              sums[to] = 0;
              // what is too small is written, and then written over
              const isKept = mass < LEAST_MASS ? 0 : 1;
              entries[entry] = to;
              probabilities[entry] = mass;
              entry += isKept;
              kept += isKept * mass;
              bits &= bits - 1;
            } while (bits !== 0);
            words[word] = 0;
          }
          summary[above] = 0;
        }
        keptMass += kept;
        exactMass += exact * share;
        unmappedMass += unmapped * share;
        if (entry === start) continue;
        if (renormalise) for (let at = start; at < entry; at++) probabilities[at] /= kept;
        else tail[aligned] = Math.max(0, 1 - kept);
      }
      positions[aligned] = target.positions[matched.target[pair]];
      aligned++;
      entryOffsets[aligned] = entry;
    }
    positionOffsets[sample + 1] = aligned;
  }
  return {
    sampleIds: target.sampleIds,
    positionOffsets,
    positions: positions.slice(0, aligned),
    entryOffsets: entryOffsets.slice(0, aligned + 1),
    // given back in place: to copy them takes a tenth of all the time
    entries: new Int32Array(entries.buffer.transfer(entry * Int32Array.BYTES_PER_ELEMENT)),
    probabilities: new Float32Array(probabilities.buffer.transfer(entry * Float32Array.BYTES_PER_ELEMENT)),
    tail: tail.slice(0, aligned),
    statistics: { targetPositions: target.positions.length, alignedPositions, keptMass, exactMass, unmappedMass },
  };
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

const NOWHERE = -1;
const EXACT = 1;

/** [V] twice the entry to which each source token's mass goes, plus 1 where it is of the same bytes or role; −1: nowhere */
function destinationsOf(map: VocabularyMap, learn: "group" | "token"): Int32Array {
  const to = learn === "group" ? map.groupOfSource : map.targetOfSource;
  return to.map((entry, id) =>
    entry < 0 ? NOWHERE : 2 * entry + (map.kind[id] === MAPPED.equal || map.kind[id] === MAPPED.role ? EXACT : 0),
  );
}
