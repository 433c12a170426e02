import { invariant } from "../errors.ts";
import { SAMPLE_ID_BYTES } from "../samples/sample.ts";
import type { TaughtKnowledge } from "./own-knowledge.ts";

/**
 * The weighted mean of what several candidates say, as FATE-LLM's `weighted_mean` makes it: position by position
 * Σ share · distribution, the shares of all candidates taken to sum to 1. A source that says nothing at a position leaves its
 * share to the target's own knowledge, or to the sources that do speak there; a position at which no source with a share says
 * anything is left out.
 *
 * Sources are added one after the other and merged entry by entry, so that of all sources' shards one at a time is held.
 */
export class KnowledgeMixture {
  readonly #own: TaughtKnowledge;
  readonly #silentShare: "target" | "speakers";
  readonly #shares: Float64Array;
  readonly #width: number;
  /** [own's positions] the target's share: its own, and that of sources which say nothing there */
  readonly #ownShare: Float64Array;
  /** [own's positions] shares of the sources that spoke there; 0: nobody did */
  readonly #spokenShare: Float64Array;
  /** what sources said so far, at the own positions */
  #said: Said;

  /**
   * @param own - the target's own knowledge, at every position where a source may speak
   * @param shares - [S × (1 + sources)] the target's first; where all of a sample are 0 it is left out
   * @param silentShare - who gets the share of a source that says nothing: the target's own knowledge, or, where the target has
   *   no share, the sources that speak there, in proportion
   */
  constructor(own: TaughtKnowledge, shares: Float64Array, silentShare: "target" | "speakers" = "target") {
    const samples = own.sampleIds.length / SAMPLE_ID_BYTES;
    this.#own = own;
    this.#silentShare = silentShare;
    this.#width = shares.length / samples;
    this.#shares = shares.slice();
    for (let sample = 0; sample < samples; sample++) {
      const row = this.#shares.subarray(sample * this.#width, (sample + 1) * this.#width);
      const total = row.reduce((sum, share) => sum + share, 0);
      row.forEach((share, candidate) => {
        row[candidate] = total === 0 ? 0 : share / total;
      });
    }
    this.#ownShare = new Float64Array(own.positions.length).fill(1);
    this.#spokenShare = new Float64Array(own.positions.length);
    this.#said = nothingAt(own.positions.length);
  }

  /** @param source - its index; its positions are among the target's own */
  add(source: number, knowledge: TaughtKnowledge): void {
    const { positionOffsets, positions } = this.#own;
    const rows = new Int32Array(positions.length).fill(-1);
    const weights = new Float64Array(positions.length);
    for (let sample = 0; sample < positionOffsets.length - 1; sample++) {
      const share = this.#shares[sample * this.#width + 1 + source];
      let at = positionOffsets[sample];
      for (let row = knowledge.positionOffsets[sample]; row < knowledge.positionOffsets[sample + 1]; row++) {
        while (positions[at] < knowledge.positions[row]) at++;
        invariant(
          at < positionOffsets[sample + 1] && positions[at] === knowledge.positions[row],
          "MIXTURE_MISFITS",
          `sample ${sample}: expected a source to speak at the target's positions, got ${knowledge.positions[row]}`,
        );
        if (share === 0) continue;
        rows[at] = row;
        weights[at] = share;
        this.#spokenShare[at] += share;
        this.#ownShare[at] -= share;
      }
    }
    this.#said = merge(this.#said, knowledge, rows, weights);
  }

  /** @returns the mixture of all that was added, at the positions at which a source spoke */
  finish(): TaughtKnowledge {
    const { sampleIds, positionOffsets, positions } = this.#own;
    const spoken = this.#spokenShare.map((share) => (share > 0 ? 1 : 0));
    const everywhere = Int32Array.from(positions, (_, at) => at);
    const mixed =
      this.#silentShare === "target"
        ? merge(
            this.#said,
            this.#own,
            everywhere,
            this.#ownShare.map((share) => Math.max(0, share)),
          )
        : divide(this.#said, this.#spokenShare);
    const entryOffsets = [0];
    const entries = new Int32Array(mixed.entries.length);
    const probabilities = new Float32Array(mixed.entries.length);
    const before = new Int32Array(positions.length + 1);
    let next = 0;
    for (const at of everywhere) {
      before[at + 1] = before[at] + spoken[at];
      if (!spoken[at]) continue;
      const [begin, end] = [mixed.offsets[at], mixed.offsets[at + 1]];
      entries.set(mixed.entries.subarray(begin, end), next);
      probabilities.set(mixed.masses.subarray(begin, end), next);
      next += end - begin;
      entryOffsets.push(next);
    }
    const isSpoken = (_: number, at: number) => spoken[at] === 1;
    return {
      sampleIds,
      positionOffsets: positionOffsets.map((at) => before[at]),
      positions: positions.filter(isSpoken),
      entryOffsets: Int32Array.from(entryOffsets),
      entries: entries.slice(0, next),
      probabilities: probabilities.slice(0, next),
      tail: Float32Array.from(mixed.tail.filter(isSpoken)),
    };
  }
}

/** Masses at each of the target's positions, entries ascending within one. */
interface Said {
  offsets: Int32Array;
  entries: Int32Array;
  masses: Float64Array;
  tail: Float64Array;
}

function nothingAt(positions: number): Said {
  return {
    offsets: new Int32Array(positions + 1),
    entries: new Int32Array(0),
    masses: new Float64Array(0),
    tail: new Float64Array(positions),
  };
}

/** @param shares - [positions] of all that was said there; 0 where nothing was */
function divide({ offsets, entries, masses, tail }: Said, shares: Float64Array): Said {
  const divided = masses.slice();
  shares.forEach((share, at) => {
    for (let entry = offsets[at]; entry < offsets[at + 1]; entry++) divided[entry] /= share;
  });
  return { offsets, entries, masses: divided, tail: tail.map((mass, at) => mass / shares[at]) };
}

/** @param rows - [positions] where the other speaks of each, −1: nowhere */
function merge(said: Said, other: TaughtKnowledge, rows: Int32Array, weights: Float64Array): Said {
  const offsets = new Int32Array(rows.length + 1);
  const entries = new Int32Array(said.entries.length + other.entries.length);
  const masses = new Float64Array(entries.length);
  const tail = said.tail.slice();
  let next = 0;
  rows.forEach((row, at) => {
    let a = said.offsets[at];
    let b = other.entryOffsets[Math.max(0, row)];
    const stop = other.entryOffsets[row + 1]; // for −1 the first row's beginning: no entry
    while (a < said.offsets[at + 1] || b < stop) {
      const ofSaid = a < said.offsets[at + 1] ? said.entries[a] : Number.POSITIVE_INFINITY;
      const ofOther = b < stop ? other.entries[b] : Number.POSITIVE_INFINITY;
      entries[next] = Math.min(ofSaid, ofOther);
      if (ofSaid <= ofOther) masses[next] += said.masses[a++];
      if (ofOther <= ofSaid) masses[next] += weights[at] * other.probabilities[b++];
      next++;
    }
    if (row >= 0) tail[at] += weights[at] * other.tail[row];
    offsets[at + 1] = next;
  });
  return { offsets, entries: entries.subarray(0, next), masses: masses.subarray(0, next), tail };
}
