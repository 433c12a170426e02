import { LEAST_MASS } from "../alignment/carry-mass.ts";
import type { AlignedKnowledge, Knowledge } from "../knowledge.ts";
import { ownKnowledge, type TaughtKnowledge } from "./own-knowledge.ts";

/** By how much more, relatively, a source must give: both masses were rounded to single precision. */
const ROUNDING = 1e-6;

export interface AdvantageSettings {
  /** what the aligned knowledge was made by: the target's own is read in the same form */
  transfer: "product" | "paper" | "fate";
  temperature: number;
  /** [W] the group of each of the target's tokens; null: entries are tokens */
  groupOfTarget: Int32Array | null;
}

/** What of a source's knowledge says more of the truth than the target's own. S samples. */
export interface AdvantageousKnowledge {
  /** at the positions that are kept; its statistics are still those of the whole alignment */
  aligned: AlignedKnowledge;
  advantage: {
    /** [S] nats, summed over the kept positions */
    nats: Float64Array;
    /** [S] how many were kept */
    positions: Int32Array;
  };
}

/**
 * Keeps the positions at which a source gives the next token of the text (or the group that holds it) strictly more probability
 * than the target itself does, and says by how much.
 *
 * Both sides are tempered alike, and what a side does not list counts as 0. A position's advantage is
 *
 *     ln source − ln max(own, floor),   floor = min(source, max(10⁻¹², min(own tail, own least listed)))
 *
 * A token that the target does not list has at most its least listed probability, and at most its whole tail. So the floor is the
 * most that the target may give it: with it an advantage is never overstated, while a smaller one would let a single unlisted
 * token outweigh a whole text, since −ln 0 is infinite. Where the source gives less than that the position is kept, as the rule
 * has it, with an advantage of 0. 10⁻¹² is the least mass that is carried at all.
 *
 * @param aligned - without labels: what a source did not say is no advantage of it
 * @param own - the target's knowledge; every aligned position is among its positions
 * @see Lin et al., "Rho-1", arXiv 2404.07965, where a token is learned by how much a reference model's loss is less
 *
 * Time O(E log K + own E), memory O(E).
 */
export function keepAdvantageous(
  aligned: AlignedKnowledge,
  own: Knowledge,
  { transfer, temperature, groupOfTarget }: AdvantageSettings,
): AdvantageousKnowledge {
  const ownTaught = ownKnowledge(own, transfer, temperature);
  const entryOf = (token: number) => (groupOfTarget === null ? token : groupOfTarget[token]);
  const samples = aligned.positionOffsets.length - 1;
  const nats = new Float64Array(samples);
  const kept: number[] = [];
  const positionOffsets = new Int32Array(samples + 1);
  for (let sample = 0; sample < samples; sample++) {
    let at = own.positionOffsets[sample];
    for (let row = aligned.positionOffsets[sample]; row < aligned.positionOffsets[sample + 1]; row++) {
      while (own.positions[at] < aligned.positions[row]) at++;
      const truth = entryOf(own.tokenIds[own.tokenOffsets[sample] + own.positions[at] + 1]);
      const said = massAt(aligned, row, (entry) => entry === truth);
      const known = massAt(ownTaught, at, (token) => entryOf(token) === truth);
      if (!(said > known * (1 + ROUNDING))) continue;
      kept.push(row);
      // where own knowledge is renormalised, its tail is gone, but what was cut off is no less possible
      const tail = transfer === "product" ? ownTaught.tail[at] : own.tailMass[at];
      const floor = Math.min(said, Math.max(LEAST_MASS, Math.min(tail, leastAt(ownTaught, at))));
      nats[sample] += Math.log(said / Math.max(known, floor));
    }
    positionOffsets[sample + 1] = kept.length;
  }
  const positions = positionOffsets.slice(1).map((end, sample) => end - positionOffsets[sample]);
  return {
    aligned: { ...aligned, ...rowsOf(aligned, kept), positionOffsets },
    advantage: { nats, positions },
  };
}

function massAt(
  { entryOffsets, entries, probabilities }: TaughtKnowledge,
  at: number,
  isMeant: (entry: number) => boolean,
) {
  let mass = 0;
  for (let entry = entryOffsets[at]; entry < entryOffsets[at + 1]; entry++)
    if (isMeant(entries[entry])) mass += probabilities[entry];
  return mass;
}

function leastAt({ entryOffsets, probabilities }: TaughtKnowledge, at: number): number {
  return probabilities.subarray(entryOffsets[at], entryOffsets[at + 1]).reduce((a, b) => Math.min(a, b));
}

function rowsOf({ positions, entryOffsets, entries, probabilities, tail }: AlignedKnowledge, rows: readonly number[]) {
  const keptOffsets = new Int32Array(rows.length + 1);
  rows.forEach((row, at) => {
    keptOffsets[at + 1] = keptOffsets[at] + entryOffsets[row + 1] - entryOffsets[row];
  });
  const keptEntries = new Int32Array(keptOffsets[rows.length]);
  const keptProbabilities = new Float32Array(keptEntries.length);
  rows.forEach((row, at) => {
    keptEntries.set(entries.subarray(entryOffsets[row], entryOffsets[row + 1]), keptOffsets[at]);
    keptProbabilities.set(probabilities.subarray(entryOffsets[row], entryOffsets[row + 1]), keptOffsets[at]);
  });
  return {
    positions: Int32Array.from(rows, (row) => positions[row]),
    entryOffsets: keptOffsets,
    entries: keptEntries,
    probabilities: keptProbabilities,
    tail: Float32Array.from(rows, (row) => tail[row]),
  };
}
