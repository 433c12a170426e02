import { describe, expect, it } from "@jest/globals";
import { type AlignmentSettings, alignKnowledge } from "../../../shared/src/core/alignment/align-knowledge.ts";
import { carryMass } from "../../../shared/src/core/alignment/carry-mass.ts";
import { sampleTokens } from "../../../shared/src/core/alignment/sample-tokens.ts";
import { tokenSpeller } from "../../../shared/src/core/alignment/token-strings.ts";
import { FateTransfer } from "../../../shared/src/core/alignment/transfer-fate.ts";
import {
  type AlignedKnowledge,
  type Knowledge,
  MAPPED,
  type VocabularyMap,
} from "../../../shared/src/core/knowledge.ts";

/** What is said after a token: mass by token id, likeliest first. */
type Says = [id: number, mass: number][];
interface Token {
  id: number;
  end: number;
  /** absent: nothing is known after it */
  says?: Says;
}

/** A shard of samples, as a party would have extracted it. */
function shard(...samples: Token[][]): Knowledge {
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
function told({ positionOffsets, positions, entryOffsets, entries, probabilities, tail }: AlignedKnowledge) {
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
function mapOf(targets: number, ...mapped: [target: number, kind: number][]): VocabularyMap {
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
const fine = { strings: ["<s>", "▁a", "▁un", "happy", "▁b", "</s>", null] };
const coarse = { strings: ["<e>", "a", "Ġunhappy", "Ġb", "c"] };
const fineShard = shard([
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
const coarseShard = shard([
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
const fineToCoarse = mapOf(5, [-1, nowhere], [1, equal], [2, prefix], [4, edit], [3, equal], [0, role], [-1, nowhere]);
const coarseToFine = mapOf(7, [5, role], [1, equal], [2, prefix], [4, equal], [3, edit]);

const plain: AlignmentSettings = { alignment: "byte-offset", transfer: "product", learn: "token", temperature: 1 };
const toCoarse = (settings: Partial<AlignmentSettings>) =>
  alignKnowledge(fineShard, coarseShard, fineToCoarse, { source: fine, target: coarse }, { ...plain, ...settings });
const toFine = (settings: Partial<AlignmentSettings>) =>
  alignKnowledge(coarseShard, fineShard, coarseToFine, { source: coarse, target: fine }, { ...plain, ...settings });

describe("the product's transfer", () => {
  const start = [0, { 1: 0.5, 3: 0.25 }, 0.25];
  const afterA = [1, { 2: 0.6, 3: 0.3 }, 0.1];
  const end = [2, { 0: 0.7, 3: 0.2 }, 0.1];

  it.each<[AlignmentSettings["alignment"], unknown[]]>([
    ["byte-offset", [start, afterA, end]],
    // "a" with "a" and "un": the block's last token has read more
    ["dtw", [start, end]],
    // the opening tokens are spelt differently
    ["greedy-dp", [afterA, end]],
  ])("takes the pairs of blocks that have read the same bytes: %s", (alignment, learned) => {
    expect(told(toCoarse({ alignment }))).toEqual({ offsets: [0, learned.length], learned });
  });

  it("counts what was kept, what of it to the same bytes or role, and what went nowhere", () => {
    const { statistics } = toCoarse({});
    expect(statistics).toEqual({
      targetPositions: 3,
      alignedPositions: 3,
      keptMass: expect.closeTo(0.75 + 0.9 + 0.9, 6),
      exactMass: expect.closeTo(0.5 + 0.25 + 0.3 + 0.7 + 0.2, 6),
      unmappedMass: expect.closeTo(0.05, 6),
    });
  });

  it("sums the mass of groups, by any alignment", () => {
    expect(told(toCoarse({ alignment: "dtw", learn: "group" })).learned).toEqual([
      [0, { 0: 0.75 }, 0.25],
      [2, { 0: 0.95 }, 0.05],
    ]);
  });

  it("keeps samples apart", () => {
    const token = (id: number, end: number, says?: Says): Token => ({ id, end, says });
    const two = shard(
      [token(0, 0, [[1, 1]]), token(1, 1, [[3, 1]]), token(3, 3)],
      [token(0, 0, [[3, 1]]), token(3, 2)],
    );
    for (const alignment of ["byte-offset", "dtw", "greedy-dp"] as const) {
      const same = mapOf(5, ...[0, 1, 2, 3, 4].map((id): [number, number] => [id, equal]));
      const settings = { ...plain, alignment };
      const aligned = alignKnowledge(two, two, same, { source: coarse, target: coarse }, settings);
      expect(told(aligned)).toEqual({
        offsets: [0, 2, 3],
        learned: [
          [0, { 1: 1 }, 0],
          [1, { 3: 1 }, 0],
          [0, { 3: 1 }, 0],
        ],
      });
    }
  });
});

describe("the paper's transfer", () => {
  const start = [0, { 1: 1 }, 0];
  const end = [3, { 5: 1 }, 0];
  const third = Math.round(1e5 / 3) / 1e5;

  it("renormalises what was kept, and teaches the next token where the texts part differently", () => {
    expect(told(toCoarse({ transfer: "paper" })).learned).toEqual([
      [0, { 1: Math.round(2e5 / 3) / 1e5, 3: third }, 0],
      [1, { 2: Math.round(2e5 / 3) / 1e5, 3: third }, 0],
      [2, { 0: Math.round(7e5 / 9) / 1e5, 3: Math.round(2e5 / 9) / 1e5 }, 0],
    ]);
    const halves = { 2: Math.round(4e5 / 7) / 1e5, 3: Math.round(1e5 / 7) / 1e5, 4: Math.round(2e5 / 7) / 1e5 };
    expect(told(toFine({ transfer: "paper" })).learned).toEqual([start, [1, halves, 0], [2, { 3: 1 }, 0], end]);
    expect(toFine({ transfer: "paper" }).statistics).toMatchObject({ targetPositions: 4, alignedPositions: 3 });
  });

  it("also transfers where an alignment pairs tokens that are spelt alike or mapped on each other", () => {
    const says = (id: number): Says => [[id, 1]];
    // "b" is at other bytes on the two sides
    const from = shard([
      { id: 1, end: 1, says: says(4) },
      { id: 3, end: 3, says: says(1) },
      { id: 4, end: 5, says: says(1) },
      { id: 1, end: 6 },
    ]);
    const to = shard([
      { id: 1, end: 1, says: says(0) },
      { id: 4, end: 4, says: says(0) },
      { id: 3, end: 5, says: says(0) },
      { id: 1, end: 6 },
    ]);
    const spelt = mapOf(7, ...coarse.strings.map((): [number, number] => [6, edit]));
    const vocabularies = { source: coarse, target: fine };
    const settings = { ...plain, alignment: "dtw", transfer: "paper" } as const;
    // after "b" what the source says after its "b": not its label; "c" and "happy" are neither spelt alike nor mapped
    expect(told(alignKnowledge(from, to, spelt, vocabularies, settings)).learned).toEqual([
      [0, { 6: 1 }, 0],
      [1, { 6: 1 }, 0],
      [2, { 6: 1 }, 0],
    ]);
    const elsewhere = shard([
      { id: 1, end: 1, says: says(4) },
      { id: 3, end: 3, says: says(1) },
      { id: 4, end: 4, says: says(1) },
      { id: 1, end: 6 },
    ]);
    expect(told(alignKnowledge(elsewhere, to, spelt, vocabularies, settings)).learned).toEqual([
      [0, { 6: 1 }, 0],
      [1, { 6: 1 }, 0],
      [2, { 1: 1 }, 0],
    ]);
    const mapped = { ...spelt, targetOfSource: Int32Array.of(6, 6, 6, 6, 3) };
    expect(told(alignKnowledge(elsewhere, to, mapped, vocabularies, settings)).learned).toEqual([
      [0, { 3: 1 }, 0],
      [1, { 6: 1 }, 0],
      [2, { 6: 1 }, 0],
    ]);
  });

  it("says nothing after a text's last token, which has no next one", () => {
    const last: Token[] = [
      { id: 1, end: 1, says: [[1, 1]] },
      { id: 2, end: 9, says: [[1, 1]] },
    ];
    const lone = shard([
      { id: 1, end: 1, says: [[1, 1]] },
      { id: 2, end: 9 },
    ]);
    const settings = { ...plain, transfer: "paper" } as const;
    const vocabularies = { source: coarse, target: coarse };
    const same = mapOf(5, ...[0, 1, 2, 3, 4].map((id): [number, number] => [id, equal]));
    expect(told(alignKnowledge(lone, shard(last), same, vocabularies, settings)).learned).toEqual([[0, { 1: 1 }, 0]]);
    expect(told(alignKnowledge(shard(last), shard(last), same, vocabularies, settings)).learned).toEqual([
      [0, { 1: 1 }, 0],
      [1, { 1: 1 }, 0],
    ]);
  });
});

describe("FATE-LLM's transfer", () => {
  it("teaches the softmax of what it keeps, and elsewhere the token itself", () => {
    // dtw: <s>–<e> and </s>–<e> are spelt differently, "a" has two source tokens, "unhappy" is not "happy"
    expect(told(toCoarse({ alignment: "dtw", transfer: "fate" }))).toEqual({
      offsets: [0, 3],
      learned: [
        [0, { 0: 1 }, 0],
        [1, { 1: 1 }, 0],
        [2, { 2: 1 }, 0],
      ],
    });
    const aligned = toCoarse({ alignment: "greedy-dp", transfer: "fate", temperature: 2 });
    const [two, three] = [Math.sqrt(0.6), Math.sqrt(0.3)];
    const round = (mass: number) => Math.round(mass * 1e5) / 1e5;
    // the span of "un" and "happy" goes to "unhappy": means of log-probabilities, each over the positions that have it
    const [of4, of0, of3] = [0.9, 0.7, 0.2].map(Math.sqrt);
    const total = of4 + of0 + of3;
    expect(told(aligned).learned).toEqual([
      [0, { 0: 1 }, 0],
      [1, { 2: round(two / (two + three)), 3: round(three / (two + three)) }, 0],
      [2, { 0: round(of0 / total), 3: round(of3 / total), 4: round(of4 / total) }, 0],
    ]);
    expect(aligned.statistics).toEqual({
      targetPositions: 3,
      alignedPositions: 2,
      keptMass: 2,
      exactMass: expect.closeTo(three / (two + three) + (of0 + of3) / total, 6),
      unmappedMass: 0,
    });
  });

  it("leaves out a position of which the source says nothing, or nothing that maps", () => {
    const same = mapOf(
      5,
      ...[0, 1, 2, 3, 4].map((id): [number, number] => [id < 4 ? id : -1, id < 4 ? equal : nowhere]),
    );
    const to = shard([
      { id: 1, end: 1, says: [[1, 1]] },
      { id: 2, end: 9, says: [[1, 1]] },
      { id: 3, end: 11, says: [[1, 1]] },
      { id: 4, end: 12 },
    ]);
    const from = shard([
      { id: 1, end: 1 },
      { id: 2, end: 9, says: [[4, 1]] },
      { id: 3, end: 11, says: [[3, 0.5]] },
      { id: 4, end: 12 },
    ]);
    const settings = { ...plain, transfer: "fate" } as const;
    const aligned = alignKnowledge(from, to, same, { source: coarse, target: coarse }, settings);
    expect(told(aligned)).toEqual({ offsets: [0, 1], learned: [[2, { 3: 1 }, 0]] });
    expect(aligned.statistics).toMatchObject({ alignedPositions: 2, keptMass: 2, exactMass: 1 });
  });

  it("refuses shards of other samples", () => {
    const other = { ...coarseShard, sampleIds: new Uint8Array(16).fill(9) };
    const vocabularies = { source: coarse, target: coarse };
    for (const transfer of ["product", "paper", "fate"] as const)
      expect(() => alignKnowledge(other, coarseShard, coarseToFine, vocabularies, { ...plain, transfer })).toThrow(
        expect.objectContaining({ code: "SAMPLES_DIFFER" }),
      );
  });

  it.each(["paper", "fate"] as const)("and the paper's know no groups: %s", (transfer) => {
    expect(() => toCoarse({ transfer, learn: "group" })).toThrow(
      expect.objectContaining({
        name: "InvariantError",
        code: "GROUPS_NOT_TRANSFERRED",
        message: `transfer ${transfer}: expected learn token, got group`,
      }),
    );
  });
});

describe("FATE-LLM's transfer of scores", () => {
  const source = { strings: ["Ġthe", "a", "Ġa", "x", null, "the", "Ġthe"] };
  const target = { strings: ["▁the", "▁a", "a", "x", "y"] };
  const map = mapOf(5, [0, equal], [2, equal], [1, equal], [3, equal], [-1, nowhere], [4, edit], [4, edit]);
  const scores = (...ids: number[]) => ({ ids, scores: ids.map((_, k) => -k) });
  const label = (id: number) => ({ ids: [id], scores: [1], isLabel: true });
  const fate = (changed: Partial<VocabularyMap> = {}) => new FateTransfer({ ...map, ...changed }, { source, target });
  /** What one target token learns from its source tokens. */
  const learned = (sourceIds: number[], targetIds: number[], sources: number[][], changed?: Partial<VocabularyMap>) =>
    fate(changed).transfer("dtw", sourceIds, targetIds, sources, (token) => scores(sourceIds[token]));

  it("takes one source token alone, of the same string or mapped on it", () => {
    const carried = (id: number) => ({ ids: [id], scores: [-0], isLabel: false });
    expect(learned([3, 0, 2], [3, 0, 1], [[0], [1], [2]])).toEqual([carried(3), carried(0), carried(1)]);
    expect(learned([3, 5], [3, 4], [[0], [1]])).toEqual([carried(3), carried(4)]);
    expect(learned([3, 1], [3, 1], [[0], [1]])).toEqual([carried(3), label(1)]);
    const withoutX = Int32Array.of(0, 2, 1, -1, -1, 4, 4);
    expect(learned([0, 3], [0, 3], [[0], [1]], { targetOfSource: withoutX })[1]).toMatchObject({ isLabel: false });
    expect(learned([3, 3, 3], [3, 3], [[], [1, 2]])).toEqual([label(3), label(3)]);
  });

  it("adds the boundary mark to GPT-2's first token where the target has one", () => {
    const carried = { ids: [4], scores: [-0], isLabel: false };
    expect(learned([5], [0], [[0]])).toEqual([carried]);
    expect(learned([3, 5], [3, 0], [[0], [1]])[1]).toEqual(label(0));
    // mapped on it: what counts is the map of the token with the mark, of several equal ones the last
    const toFirst = Int32Array.of(0, 2, 1, 3, -1, 4, 1);
    expect(learned([5], [1], [[0]], { targetOfSource: toFirst })).toEqual([carried]);
    expect(learned([5], [1], [[0]])).toEqual([label(1)]);
    const asked = fate({ targetOfSource: toFirst });
    for (let time = 0; time < 2; time++)
      expect(asked.transfer("dtw", [5], [1], [[0]], () => scores(5))).toEqual([carried]);
    // with the mark there is no such token
    expect(learned([3], [1], [[0]])).toEqual([label(1)]);
    // no mark to add: the target's has none, or the source's has it already
    expect(learned([5], [4], [[0]])).toEqual([carried]);
    expect(learned([2], [0], [[0]], { targetOfSource: Int32Array.of(1, 2, 0, 3, -1, 4, 1) })).toEqual([
      { ids: [0], scores: [-0], isLabel: false },
    ]);
    // SentencePiece's first token is taken as it is
    const backward = new FateTransfer(mapOf(7, [5, edit], [2, edit], [1, edit], [3, edit], [3, edit]), {
      source: target,
      target: source,
    });
    expect(backward.transfer("dtw", [2], [2], [[0]], () => scores(0))).toEqual([label(2)]);
  });

  it("drops what maps nowhere or where another went before it", () => {
    const carry = (...ids: number[]) => fate().transfer("dtw", [3], [3], [[0]], () => scores(...ids))[0];
    expect(carry(5, 4, 3, 6, 99)).toEqual({ ids: [4, 3], scores: [-0, -2], isLabel: false });
    expect(carry(4)).toEqual({ ids: [], scores: [], isLabel: false });
    expect(fate().transfer("dtw", [3], [3], [[0]], () => null)).toEqual([null]);
  });

  it("after greedy-dp gives a span's mean scores to its first token", () => {
    const says = [scores(0, 3), null, { ids: [3, 2], scores: [-4, -8] }, null];
    const transfer = (sources: number[][]) =>
      fate().transfer("greedy-dp", [0, 0, 0, 0], [1, 3, 2, 0], sources, (token) => says[token]);
    expect(transfer([[0, 1, 2], [0, 1, 2], [], [3]])).toEqual([
      { ids: [0, 3, 1], scores: [-0, (-1 - 4) / 2, -8], isLabel: false },
      label(3),
      label(2),
      null,
    ]);
  });
});

describe("what is transferred", () => {
  const unlike = mapOf(7, ...coarse.strings.map((): [number, number] => [6, edit]));
  const vocabularies = { source: coarse, target: fine };
  const says: Says = [[1, 1]];
  /** Coarse and fine tokens of the same bytes, none spelt alike or mapped on the other. */
  const from = shard([
    { id: 0, end: 1, says },
    { id: 4, end: 2, says },
    { id: 4, end: 3 },
  ]);
  const to = shard([
    { id: 0, end: 1, says },
    { id: 4, end: 2, says },
    { id: 1, end: 3 },
  ]);

  it("in the paper's way needs no likeness where both end a block at the same byte, from the first position on", () => {
    const settings = { ...plain, alignment: "dtw", transfer: "paper" } as const;
    expect(told(alignKnowledge(from, to, unlike, vocabularies, settings)).learned).toEqual([
      [0, { 6: 1 }, 0],
      [1, { 6: 1 }, 0],
    ]);
  });

  it("in the paper's way is the label where the block's last source token ends elsewhere", () => {
    const settings = { ...plain, alignment: "dtw", transfer: "paper" } as const;
    // by bytes "<e>" belongs to "<s>", but "c" is as near to it and comes after
    const longer = shard([
      { id: 0, end: 2, says },
      { id: 4, end: 4, says },
      { id: 2, end: 6 },
    ]);
    const shorter = shard([
      { id: 0, end: 2, says },
      { id: 3, end: 6 },
    ]);
    expect(told(alignKnowledge(longer, shorter, unlike, vocabularies, settings)).learned).toEqual([[0, { 3: 1 }, 0]]);
  });

  it("in the product's way is nothing where greedy-dp finds no span", () => {
    const settings = { ...plain, alignment: "greedy-dp" } as const;
    expect(told(alignKnowledge(from, to, unlike, vocabularies, settings))).toEqual({ offsets: [0, 0], learned: [] });
  });

  it("in FATE-LLM's way ascends by id, and sums to 1 however unlikely all of it is", () => {
    const { entries } = toCoarse({ alignment: "greedy-dp", transfer: "fate" });
    expect([...entries]).toEqual([0, 2, 3, 0, 3, 4]);
    const rare = { ...fineShard, topLogProbs: fineShard.topLogProbs.map((logProb) => logProb - 2000) };
    const settings = { ...plain, alignment: "greedy-dp", transfer: "fate" } as const;
    const aligned = alignKnowledge(rare, coarseShard, fineToCoarse, { source: fine, target: coarse }, settings);
    expect(aligned.probabilities[1] + aligned.probabilities[2]).toBeCloseTo(1, 3);
  });

  it("takes SentencePiece's mark for a vocabulary's where both are as frequent", () => {
    expect(tokenSpeller({ strings: ["▁a", "Ġb"] }, "")(0)).toBe("a");
    expect(tokenSpeller({ strings: ["▁a", "Ġb"] }, "")(1)).toBe("Ġb");
  });
});

describe("a shard's tokens", () => {
  it("are spelt without their boundary mark, a hole and an id beyond the vocabulary as nothing", () => {
    const spell = tokenSpeller(fine, "");
    expect([1, 3, 6, 7, 1].map(spell)).toEqual(["a", "happy", "", "", "a"]);
    expect(tokenSpeller(fine, "Ġ")(1)).toBe("Ġa");
    expect(tokenSpeller({ strings: ["a", "##b"] }, "Ġ")(1)).toBe("##b");
  });

  it("know at which of its positions something is said", () => {
    const both = shard(
      [{ id: 1, end: 1 }],
      [
        { id: 0, end: 0 },
        { id: 3, end: 2, says: [[1, 1]] },
        { id: 2, end: 9 },
      ],
    );
    expect(sampleTokens(both, 1, tokenSpeller(coarse, ""))).toEqual({
      ids: Int32Array.of(0, 3, 2),
      ends: Int32Array.of(0, 2, 9),
      rows: Int32Array.of(-1, 0, -1),
      strings: ["<e>", "b", "unhappy"],
    });
  });
});

describe("a label", () => {
  it("is learned in full, and counts in no statistic", () => {
    const matched = { offsets: Int32Array.of(0, 1), source: Int32Array.of(-1), target: Int32Array.of(1) };
    const labels = Int32Array.of(3);
    const settings = { learn: "token", temperature: 1 } as const;
    const carried = carryMass(fineShard, coarseShard, { ...matched, labels }, fineToCoarse, settings);
    expect(told(carried).learned).toEqual([[1, { 3: 1 }, 0]]);
    expect(carried.statistics).toEqual({
      ...{ targetPositions: 3, alignedPositions: 0 },
      ...{ keptMass: 0, exactMass: 0, unmappedMass: 0 },
    });
  });
});

describe("mass that is carried", () => {
  const matched = { offsets: Int32Array.of(0, 1), source: Int32Array.of(0), target: Int32Array.of(0) };
  const carry = (says: Says, temperature: number) =>
    carryMass(
      shard([
        { id: 0, end: 0, says },
        { id: 1, end: 1 },
      ]),
      coarseShard,
      matched,
      fineToCoarse,
      {
        learn: "token",
        temperature,
      },
    );
  // 7 is the first id behind the map
  const says: Says = [
    [1, 0.5],
    [4, 0.25],
    [7, 0.125],
  ];

  it("is all of the first position's, and nothing of an id behind the map", () => {
    const carried = carry(says, 1);
    expect(told(carried).learned).toEqual([[0, { 1: 0.5, 3: 0.25 }, 0.25]]);
    expect(carried.statistics.unmappedMass).toBeCloseTo(0.125, 6);
  });

  it("is counted as tempered", () => {
    const total = Math.SQRT1_2 + 0.5 + 2 * Math.sqrt(0.125);
    expect(carry(says, 2).statistics).toMatchObject({
      keptMass: expect.closeTo((Math.SQRT1_2 + 0.5) / total, 6),
      exactMass: expect.closeTo((Math.SQRT1_2 + 0.5) / total, 6),
      unmappedMass: expect.closeTo(Math.sqrt(0.125) / total, 6),
    });
  });

  it("does not vanish at the lowest temperature", () => {
    const halves: Says = [
      [1, 0.5],
      [4, 0.5],
    ];
    expect(told(carry(halves, 0.0005)).learned).toEqual([[0, { 1: 0.5, 3: 0.5 }, 0]]);
  });

  it("leaves no room for what is left out", () => {
    const { positions, entryOffsets, entries, tail } = carry([[7, 0.5]], 1);
    expect([positions.length, entryOffsets.length, entries.length, tail.length]).toEqual([0, 1, 0, 0]);
  });
});
