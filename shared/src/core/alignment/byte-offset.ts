import { type AlignedKnowledge, type Knowledge, MAPPED, type VocabularyMap } from "../knowledge.ts";
import { matchPositions, type Positions } from "./match-positions.ts";
import { SortedIds } from "./sorted-ids.ts";

/** Mass too small to teach anything goes to the tail, so that entries do not swell with zeros. */
export const LEAST_MASS = 1e-12;

/**
 * Translates a source's knowledge into a target's tokens and positions: where both have read exactly the same bytes
 * (see {@link matchPositions}), the source's next-token probabilities are carried over by the vocabulary map. Elsewhere
 * nothing is taught. Mass of source tokens that map to the same target token or group is summed; mass that maps nowhere, is
 * below {@link LEAST_MASS} or was cut off by top-K is the tail. At each position entries and tail sum to 1.
 *
 * A temperature T tempers the source once, here: p^(1/T) over the kept tokens and the tail, the tail being taken as one
 * token, renormalised. That is exact for T = 1 and for a tail of one token; a tail of many small ones would weigh more at
 * T > 1 than it is given here, which keeps the emphasis on what was kept.
 *
 * A position that is aligned but whose mass all maps nowhere is left out, and counts in `alignedPositions` all the same.
 * Source ids beyond the map (rows of the model that the tokenizer has no token for) map nowhere.
 *
 * @param learn - `group`: entries are the map's groups; `token`: the target's token ids
 * @throws InvalidInputError `SAMPLES_DIFFER`
 *
 * Time and memory O(tokens + E), E the source's entries.
 */
export function alignByByteOffset(
  source: Knowledge,
  target: Positions,
  map: VocabularyMap,
  learn: "group" | "token",
  temperature: number,
): AlignedKnowledge {
  const matched = matchPositions(source, target);
  const pairs = matched.source.length;
  const { entryOffsets: sourceOffsets, topIds, topLogProbs, tailMass } = source;
  const destination = learn === "group" ? map.groupOfSource : map.targetOfSource;
  const size = learn === "group" ? map.groups : map.groupOfTarget.length;
  const tokens = destination.length;

  const samples = matched.offsets.length - 1;
  const positionOffsets = new Int32Array(samples + 1);
  const positions = new Int32Array(pairs);
  const entryOffsets = new Int32Array(pairs + 1);
  let widest = 0;
  let most = 0;
  for (const row of matched.source) {
    const count = sourceOffsets[row + 1] - sourceOffsets[row];
    widest = Math.max(widest, count);
    most += Math.min(count, size);
  }
  const entries = new Int32Array(most);
  const probabilities = new Float32Array(most);
  const tail = new Float32Array(pairs);
  const statistics = {
    targetPositions: target.positions.length,
    alignedPositions: pairs,
    keptMass: 0,
    exactMass: 0,
    unmappedMass: 0,
  };

  const masses = new Float64Array(widest);
  const sums = new Float64Array(size);
  const seen = new SortedIds(size);
  const found = new Int32Array(widest);
  const exponent = 1 / temperature;
  let aligned = 0;
  let entry = 0;
  for (let sample = 0; sample < samples; sample++) {
    for (let pair = matched.offsets[sample]; pair < matched.offsets[sample + 1]; pair++) {
      const row = matched.source[pair];
      const first = sourceOffsets[row];
      const count = sourceOffsets[row + 1] - first;
      // relative to the likeliest, so that no temperature makes everything vanish
      const peak = temperature === 1 ? 0 : Math.max(topLogProbs[first], Math.log(tailMass[row]));
      let total = temperature === 1 ? tailMass[row] : Math.exp((Math.log(tailMass[row]) - peak) * exponent);
      for (let k = 0; k < count; k++) {
        masses[k] = Math.exp((topLogProbs[first + k] - peak) * exponent);
        total += masses[k];
      }
      let exact = 0;
      let unmapped = 0;
      for (let k = 0; k < count; k++) {
        const id = topIds[first + k];
        const to = id < tokens ? destination[id] : -1;
        if (to < 0) {
          unmapped += masses[k];
          continue;
        }
        seen.add(to);
        sums[to] += masses[k];
        if (map.kind[id] === MAPPED.equal || map.kind[id] === MAPPED.role) exact += masses[k];
      }
      let kept = 0;
      const start = entry;
      const distinct = seen.drain(found);
      for (let index = 0; index < distinct; index++) {
        const to = found[index];
        const mass = sums[to] / total;
        sums[to] = 0;
        if (mass < LEAST_MASS) continue;
        entries[entry] = to;
        probabilities[entry] = mass;
        entry++;
        kept += mass;
      }
      statistics.keptMass += kept;
      statistics.exactMass += exact / total;
      statistics.unmappedMass += unmapped / total;
      if (entry === start) continue;
      positions[aligned] = target.positions[matched.target[pair]];
      tail[aligned] = Math.max(0, 1 - kept);
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
    entries: entries.slice(0, entry),
    probabilities: probabilities.slice(0, entry),
    tail: tail.slice(0, aligned),
    statistics,
  };
}
