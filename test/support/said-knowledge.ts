import { type AlignmentSettings, alignKnowledge } from "../../shared/src/core/alignment/align-knowledge.ts";
import { type AlignedKnowledge, type Knowledge, MAPPED, type VocabularyMap } from "../../shared/src/core/knowledge.ts";

/** What is said after a token: mass by token id, likeliest first. */
export type Says = [id: number, mass: number][];
export interface Token {
  id: number;
  end: number;
  /** absent: nothing is known after it */
  says?: Says;
}

/** A shard of samples, as a party would have extracted it. */
export function shard(...samples: Token[][]): Knowledge {
  const running = (counts: number[]) => {
    const sums = [0];
    for (const count of counts) sums.push(sums.at(-1)! + count);
    return Int32Array.from(sums);
  };
  const known = samples.map((tokens) => [...tokens.entries()].filter(([, { says }]) => says !== undefined));
  const rows = known.flatMap((one) => one.map(([, { says }]) => says!));
  return {
    sampleIds: Uint8Array.from({ length: 16 * samples.length }, (_, byte) => byte >> 4),
    lossNats: new Float64Array(samples.length),
    answerBytes: new Int32Array(samples.length),
    answerPositions: Int32Array.from(known, ({ length }) => length),
    tokenOffsets: running(samples.map(({ length }) => length)),
    tokenIds: Int32Array.from(samples.flat(), ({ id }) => id),
    tokenEnds: Int32Array.from(samples.flat(), ({ end }) => end),
    positionOffsets: running(known.map(({ length }) => length)),
    positions: Int32Array.from(known.flat(), ([token]) => token),
    entryOffsets: running(rows.map(({ length }) => length)),
    topIds: Int32Array.from(rows.flat(), ([id]) => id),
    topLogProbs: Float32Array.from(rows.flat(), ([, mass]) => Math.log(mass)),
    tailMass: Float32Array.from(rows, (says) => 1 - says.reduce((sum, [, mass]) => sum + mass, 0)),
  };
}

/** Positions, entries and tails as a person would write them down. */
export function told({ positionOffsets, positions, entryOffsets, entries, probabilities, tail }: AlignedKnowledge) {
  const round = (mass: number) => Math.round(mass * 1e5) / 1e5;
  return {
    offsets: [...positionOffsets],
    learned: Array.from(positions, (position, row) => {
      const [first, stop] = [entryOffsets[row], entryOffsets[row + 1]];
      const masses = Array.from(entries.subarray(first, stop), (id, k) => [id, round(probabilities[first + k])]);
      return [position, Object.fromEntries(masses), round(tail[row])];
    }),
  };
}

const { nowhere, equal, role, prefix, edit } = MAPPED;

/** Into so many target tokens, from as many source tokens as are given. */
export function mapOf(targets: number, ...mapped: [target: number, kind: number][]): VocabularyMap {
  return {
    rule: "product",
    targetOfSource: Int32Array.from(mapped, ([target]) => target),
    kind: Uint8Array.from(mapped, ([, kind]) => kind),
    distance: new Int32Array(mapped.length),
    // all target tokens in one group, and all source tokens' mass in it
    groupOfTarget: new Int32Array(targets),
    groups: 1,
    groupOfSource: new Int32Array(mapped.length),
  };
}

// "a unhappy" and EOS, in fine tokens and in coarse ones
export const fine = { strings: ["<s>", "▁a", "▁un", "happy", "▁b", "</s>", null] };
export const coarse = { strings: ["<e>", "a", "Ġunhappy", "Ġb", "c"] };
export const fineShard = shard([
  {
    id: 0,
    end: 0,
    says: [
      [1, 0.5],
      [4, 0.25],
    ],
  },
  {
    id: 1,
    end: 1,
    says: [
      [2, 0.6],
      [4, 0.3],
    ],
  },
  { id: 2, end: 4, says: [[3, 0.9]] },
  {
    id: 3,
    end: 9,
    says: [
      [5, 0.7],
      [4, 0.2],
      [0, 0.05],
    ],
  },
  { id: 5, end: 9 },
]);
export const coarseShard = shard([
  { id: 0, end: 0, says: [[1, 0.8]] },
  {
    id: 1,
    end: 1,
    says: [
      [2, 0.5],
      [3, 0.25],
      [4, 0.125],
    ],
  },
  { id: 2, end: 9, says: [[0, 0.9]] },
  { id: 0, end: 9 },
]);
export const fineToCoarse = mapOf(
  5,
  [-1, nowhere],
  [1, equal],
  [2, prefix],
  [4, edit],
  [3, equal],
  [0, role],
  [-1, nowhere],
);
export const coarseToFine = mapOf(7, [5, role], [1, equal], [2, prefix], [4, equal], [3, edit]);

export const plain: AlignmentSettings = {
  alignment: "byte-offset",
  transfer: "product",
  learn: "token",
  temperature: 1,
};
export const toCoarse = (settings: Partial<AlignmentSettings>) =>
  alignKnowledge(fineShard, coarseShard, fineToCoarse, { source: fine, target: coarse }, { ...plain, ...settings });
export const toFine = (settings: Partial<AlignmentSettings>) =>
  alignKnowledge(coarseShard, fineShard, coarseToFine, { source: coarse, target: fine }, { ...plain, ...settings });
