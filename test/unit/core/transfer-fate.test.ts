import { describe, expect, it } from "@jest/globals";
import { alignKnowledge } from "../../../shared/src/core/alignment/align-knowledge.ts";
import { FateTransfer } from "../../../shared/src/core/alignment/transfer-fate.ts";
import { MAPPED, type VocabularyMap } from "../../../shared/src/core/knowledge.ts";
import {
  coarse,
  coarseShard,
  coarseToFine,
  fine,
  fineShard,
  fineToCoarse,
  mapOf,
  plain,
  shard,
  toCoarse,
  told,
} from "../../support/said-knowledge.ts";

const { nowhere, equal, edit } = MAPPED;

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

  it("ascends by id, and sums to 1 however unlikely all of it is", () => {
    const { entries } = toCoarse({ alignment: "greedy-dp", transfer: "fate" });
    expect([...entries]).toEqual([0, 2, 3, 0, 3, 4]);
    const rare = { ...fineShard, topLogProbs: fineShard.topLogProbs.map((logProb) => logProb - 2000) };
    const settings = { ...plain, alignment: "greedy-dp", transfer: "fate" } as const;
    const aligned = alignKnowledge(rare, coarseShard, fineToCoarse, { source: fine, target: coarse }, settings);
    expect(aligned.probabilities[1] + aligned.probabilities[2]).toBeCloseTo(1, 3);
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
