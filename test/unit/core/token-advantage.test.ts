import { describe, expect, it } from "@jest/globals";
import type { AlignmentSettings } from "../../../shared/src/core/alignment/align-knowledge.ts";
import type { AlignedKnowledge } from "../../../shared/src/core/knowledge.ts";
import { type AdvantageSettings, keepAdvantageous } from "../../../shared/src/core/selection/token-advantage.ts";
import { type Says, shard, toCoarse, toFine, told } from "../../support/said-knowledge.ts";

/** What a source says at each position of one sample: its masses by entry, ascending, the rest being the tail. */
function said(...rows: [position: number, masses: Says][]): AlignedKnowledge {
  const knowledge = shard(rows.map(([, says]) => ({ id: 0, end: 0, says })));
  const { sampleIds, entryOffsets, topIds, topLogProbs, tailMass } = knowledge;
  return {
    sampleIds,
    positionOffsets: Int32Array.of(0, rows.length),
    positions: Int32Array.from(rows, ([position]) => position),
    entryOffsets,
    entries: topIds,
    probabilities: topLogProbs.map(Math.exp),
    tail: tailMass,
    statistics: { targetPositions: 9, alignedPositions: rows.length, keptMass: 3, exactMass: 2, unmappedMass: 1 },
  };
}

/** A target whose tokens are 1, 2, 3 and so on, and that says this after each. */
function target(...rows: Says[]) {
  return shard([
    ...rows.map((says, place) => ({ id: place + 1, end: place + 1, says })),
    { id: rows.length + 1, end: 99 },
  ]);
}

const product = { transfer: "product", temperature: 1, groupOfTarget: null } as const;
const natsOf = (aligned: AlignedKnowledge, own: ReturnType<typeof target>, settings: Partial<AdvantageSettings> = {}) =>
  keepAdvantageous(aligned, own, { ...product, ...settings }).advantage.nats[0];

describe("Knowledge by token", () => {
  it("is kept where the source gives the next token more, and left out where it gives it less or as much", () => {
    const own = target([[2, 0.5]], [[3, 0.5]], [[4, 0.5]]);
    const aligned = said(
      [
        0,
        [
          [1, 0.2],
          [2, 0.7],
        ],
      ],
      [
        1,
        [
          [3, 0.4],
          [9, 0.5],
        ],
      ],
      [
        2,
        [
          [4, 0.5],
          [5, 0.4],
        ],
      ],
    );
    const kept = keepAdvantageous(aligned, own, product);
    expect(told(kept.aligned)).toEqual({ offsets: [0, 1], learned: [[0, { 1: 0.2, 2: 0.7 }, 0.1]] });
    expect([...kept.advantage.positions]).toEqual([1]);
    expect(kept.advantage.nats[0]).toBeCloseTo(Math.log(0.7 / 0.5), 6);
    expect(kept.aligned.statistics).toEqual(aligned.statistics);
    expect(kept.aligned.sampleIds).toEqual(aligned.sampleIds);
  });

  it("is not kept for a difference of rounding alone", () => {
    const own = target([[2, 0.5]]);
    expect(keepAdvantageous(said([0, [[2, 0.5 * (1 + 5e-7)]]]), own, product).advantage.positions[0]).toBe(0);
    expect(keepAdvantageous(said([0, [[2, 0.5 * (1 + 3e-6)]]]), own, product).advantage.positions[0]).toBe(1);
  });

  it("counts what a side does not list as nothing", () => {
    const own = target([[7, 0.5]], [[8, 0.5]], [[4, 0.001]]);
    const aligned = said([0, [[2, 0.0001]]], [1, [[9, 1]]], [2, [[9, 1]]]);
    const { advantage, aligned: kept } = keepAdvantageous(aligned, own, product);
    // the first is kept: more than nothing; in the second nobody lists the token, in the third the target alone
    expect([...kept.positions]).toEqual([0]);
    // but no advantage is counted where the target's tail may hold more than that
    expect(advantage.nats[0]).toBe(0);
  });

  it("counts an unlisted token's advantage from the most that the target may give it", () => {
    const aligned = said([0, [[2, 0.8]]]);
    // at most what it lists least, at most its tail
    expect(
      natsOf(
        aligned,
        target([
          [7, 0.5],
          [8, 0.05],
        ]),
      ),
    ).toBeCloseTo(Math.log(0.8 / 0.05), 5);
    expect(
      natsOf(
        aligned,
        target([
          [7, 0.9],
          [8, 0.08],
        ]),
      ),
    ).toBeCloseTo(Math.log(0.8 / 0.02), 4);
    // and never less than what is carried at all
    expect(
      natsOf(aligned, {
        ...target([
          [7, 0.5],
          [8, 0.5],
        ]),
        tailMass: new Float32Array(1),
      }),
    ).toBeCloseTo(Math.log(0.8 / 1e-12), 5);
  });

  it("sums advantages over a sample, and keeps samples apart", () => {
    const says = (id: number, mass: number): Says => [[id, mass]];
    const own = shard(
      [
        { id: 1, end: 1, says: says(2, 0.5) },
        { id: 2, end: 2, says: says(3, 0.25) },
        { id: 3, end: 3 },
      ],
      [
        { id: 4, end: 1, says: says(5, 0.5) },
        { id: 5, end: 2 },
      ],
      [
        { id: 6, end: 1, says: says(7, 0.1) },
        { id: 7, end: 2 },
      ],
    );
    // the third would be better at the second's place
    const elsewhere: Says = [
      [3, 0.6],
      [5, 0.25],
    ];
    const three = said([0, says(2, 0.75)], [1, says(3, 0.5)], [0, elsewhere], [0, says(7, 0.2)]);
    const aligned = { ...three, sampleIds: own.sampleIds, positionOffsets: Int32Array.of(0, 2, 3, 4) };
    const { aligned: kept, advantage } = keepAdvantageous(aligned, own, product);
    expect([...kept.positionOffsets]).toEqual([0, 2, 2, 3]);
    expect([...kept.positions]).toEqual([0, 1, 0]);
    expect([...kept.entries]).toEqual([2, 3, 7]);
    expect([...advantage.positions]).toEqual([2, 0, 1]);
    [Math.log(1.5) + Math.log(2), 0, Math.log(2)].forEach((nats, sample) => {
      expect(advantage.nats[sample]).toBeCloseTo(nats, 5);
    });
  });

  it("compares what both sides give the group that holds the next token", () => {
    // tokens 2 and 3 are one group, 1
    const groupOfTarget = Int32Array.of(0, 0, 1, 1, 2);
    const own = target([
      [2, 0.25],
      [3, 0.25],
      [4, 0.25],
    ]);
    expect(natsOf(said([0, [[1, 0.75]]]), own, { groupOfTarget })).toBeCloseTo(Math.log(0.75 / 0.5), 6);
    const less = keepAdvantageous(
      said([
        0,
        [
          [1, 0.4],
          [2, 0.6],
        ],
      ]),
      own,
      { ...product, groupOfTarget },
    );
    expect(less.aligned.positions).toHaveLength(0);
  });

  it("looks for the token after each position, wherever the source leaves positions out", () => {
    const own = target([[9, 1]], [[9, 1]], [[4, 0.25]]);
    expect(natsOf(said([2, [[4, 0.5]]]), own)).toBeCloseTo(Math.log(2), 6);
  });

  it("tempers the target as the source was", () => {
    const own = target([
      [2, 0.64],
      [7, 0.36],
    ]);
    const aligned = said([0, [[2, 0.6]]]);
    // √0.64 / (√0.64 + √0.36) = 0.57
    expect(natsOf(aligned, own)).toBe(0);
    expect(natsOf(aligned, own, { temperature: 2 })).toBeCloseTo(Math.log(0.6 / (0.8 / 1.4)), 5);
  });

  it("tempers what the target may hide, too", () => {
    // √0.19 / (√0.81 + √0.19) = 0.33
    const hidden = Math.sqrt(0.19) / (0.9 + Math.sqrt(0.19));
    expect(natsOf(said([0, [[2, 0.8]]]), target([[7, 0.81]]), { temperature: 2 })).toBeCloseTo(
      Math.log(0.8 / hidden),
      5,
    );
  });

  it("renormalises the target where the source was, and still knows of what was cut off", () => {
    const own = target([
      [2, 0.4],
      [7, 0.4],
    ]);
    const aligned = said([0, [[2, 0.45]]]);
    expect(natsOf(aligned, own)).toBeCloseTo(Math.log(0.45 / 0.4), 5);
    expect(natsOf(aligned, own, { transfer: "paper" })).toBe(0);
    const unlisted = target([
      [7, 0.8],
      [8, 0.15],
    ]);
    expect(natsOf(aligned, unlisted, { transfer: "fate" })).toBeCloseTo(Math.log(0.45 / 0.05), 4);
  });
});

describe("A transfer without labels", () => {
  const only = (settings: Partial<AlignmentSettings>, align = toFine) =>
    told(align({ ...settings, labels: false })).learned.map(([position]) => position);

  it("says in the paper's way only what a source said", () => {
    expect(told(toFine({ transfer: "paper" })).learned).toHaveLength(4);
    expect(only({ transfer: "paper" })).toEqual([0, 1, 3]);
  });

  it("says in FATE-LLM's way only what a source said", () => {
    expect(told(toCoarse({ transfer: "fate", alignment: "greedy-dp" })).learned).toHaveLength(3);
    expect(only({ transfer: "fate", alignment: "greedy-dp" }, toCoarse)).toEqual([1, 2]);
  });
});
