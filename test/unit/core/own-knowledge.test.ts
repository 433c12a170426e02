import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { KnowledgeMixture } from "../../../shared/src/core/selection/knowledge-mixture.ts";
import { ownKnowledge, type TaughtKnowledge } from "../../../shared/src/core/selection/own-knowledge.ts";
import { makeKnowledge } from "../../support/knowledge.ts";

const KNOWLEDGE = makeKnowledge([4, 3], [0.3, -1.2, 2.4, 0.9, -0.4, 1.7, 3.1]);

/** Mass by entry at one of the positions, and the tail under −1. */
function at(taught: TaughtKnowledge, position: number): Map<number, number> {
  const masses = new Map<number, number>();
  for (let entry = taught.entryOffsets[position]; entry < taught.entryOffsets[position + 1]; entry++)
    masses.set(taught.entries[entry], taught.probabilities[entry]);
  return masses.set(-1, taught.tail[position]);
}

const total = (masses: Map<number, number>) => [...masses.values()].reduce((sum, mass) => sum + mass, 0);

describe("A target's own knowledge", () => {
  it("is what it said, tail and all, in the product's way", () => {
    const own = ownKnowledge(KNOWLEDGE, "product", 1);
    expect([...own.positions]).toEqual([...KNOWLEDGE.positions]);
    for (let position = 0; position < own.positions.length; position++) {
      const said = at(own, position);
      expect(said.get(-1)).toBeCloseTo(KNOWLEDGE.tailMass[position], 6);
      for (let entry = KNOWLEDGE.entryOffsets[position]; entry < KNOWLEDGE.entryOffsets[position + 1]; entry++)
        expect(said.get(KNOWLEDGE.topIds[entry])).toBeCloseTo(Math.exp(KNOWLEDGE.topLogProbs[entry]), 6);
    }
  });

  it.each(["paper", "fate"] as const)("is what was kept, renormalised, in the way of %s", (transfer) => {
    const own = ownKnowledge(KNOWLEDGE, transfer, 1);
    const said = at(own, 0);
    const kept = 1 - KNOWLEDGE.tailMass[0];
    expect(said.get(-1)).toBe(0);
    expect(total(said)).toBeCloseTo(1, 6);
    expect(said.get(KNOWLEDGE.topIds[0])).toBeCloseTo(Math.exp(KNOWLEDGE.topLogProbs[0]) / kept, 5);
  });

  it("ascends by entry, sums to 1 and flattens with temperature", () => {
    const sharp = ownKnowledge(KNOWLEDGE, "product", 1);
    const flat = ownKnowledge(KNOWLEDGE, "product", 3);
    for (let position = 0; position < sharp.positions.length; position++) {
      const ids = [...at(flat, position).keys()].slice(0, -1);
      expect(ids).toEqual([...ids].sort((a, b) => a - b));
      expect(total(at(flat, position))).toBeCloseTo(1, 5);
      const likeliest = KNOWLEDGE.topIds[KNOWLEDGE.entryOffsets[position]];
      expect(at(flat, position).get(likeliest)!).toBeLessThan(at(sharp, position).get(likeliest)!);
    }
  });

  it("holds where nothing was cut off, and at a temperature that makes all else vanish", () => {
    const whole = makeKnowledge([3], [1, 5, 2, -3], { vocabularySize: 6, topK: 6 });
    const cold = ownKnowledge(whole, "product", 1e-3);
    expect(total(at(cold, 0))).toBeCloseTo(1, 5);
    expect([...cold.probabilities, ...cold.tail].every(Number.isFinite)).toBe(true);
  });
});

const IDS = Uint8Array.from({ length: 32 }, (_, byte) => byte);

/** Some positions of two samples of four positions each, and some of six tokens at each. */
const taught = fc
  .array(fc.option(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 7, maxLength: 7 })), {
    minLength: 8,
    maxLength: 8,
  })
  .map((rows) => taughtOf(rows));

function taughtOf(rows: readonly (readonly number[] | null)[]): TaughtKnowledge {
  const positions = rows.flatMap((row, index) => (row ? [index % 4] : []));
  const offsets = [0];
  const entries: number[] = [];
  const probabilities: number[] = [];
  const tail: number[] = [];
  for (const row of rows) {
    if (!row) continue;
    const sum = row.reduce((all, mass) => all + mass, 0) + 1;
    row.slice(0, 6).forEach((mass, token) => {
      if (mass === 0) return;
      entries.push(token);
      probabilities.push(mass / sum);
    });
    tail.push((row[6] + 1) / sum);
    offsets.push(entries.length);
  }
  return {
    sampleIds: IDS,
    positionOffsets: Int32Array.of(0, rows.slice(0, 4).filter(Boolean).length, positions.length),
    positions: Int32Array.from(positions),
    entryOffsets: Int32Array.from(offsets),
    entries: Int32Array.from(entries),
    probabilities: Float32Array.from(probabilities),
    tail: Float32Array.from(tail),
  };
}

const everywhere = fc
  .array(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 7, maxLength: 7 }), { minLength: 8, maxLength: 8 })
  .map((rows) => taughtOf(rows));

/** Where sample and position stand among what is taught; −1: nowhere. */
function rowOf(knowledge: TaughtKnowledge, sample: number, position: number): number {
  for (let row = knowledge.positionOffsets[sample]; row < knowledge.positionOffsets[sample + 1]; row++)
    if (knowledge.positions[row] === position) return row;
  return -1;
}

describe("A mixture of what several say", () => {
  it("is the weighted mean, position by position, and the target speaks for who is silent", () => {
    const shares = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(everywhere, taught, taught, shares, (own, first, second, weights) => {
        const mixture = new KnowledgeMixture(own, Float64Array.from(weights));
        mixture.add(0, first);
        mixture.add(1, second);
        const mixed = mixture.finish();
        for (let sample = 0; sample < 2; sample++)
          for (let position = 0; position < 4; position++) {
            const [self, ...of] = weights.slice(3 * sample, 3 * sample + 3);
            const rows = [first, second].map((source) => rowOf(source, sample, position));
            const row = rowOf(mixed, sample, position);
            expect(row >= 0).toBe(rows.some((found) => found >= 0));
            if (row < 0) continue;
            const expected = new Map<number, number>();
            const say = (knowledge: TaughtKnowledge, place: number, share: number) => {
              for (const [entry, mass] of at(knowledge, place))
                expected.set(entry, (expected.get(entry) ?? 0) + (mass * share) / (self + of[0] + of[1]));
            };
            const silent = of.reduce((sum, share, source) => (rows[source] < 0 ? sum + share : sum), 0);
            say(own, rowOf(own, sample, position), self + silent);
            for (const [source, knowledge] of [first, second].entries())
              if (rows[source] >= 0) say(knowledge, rows[source], of[source]);
            const found = at(mixed, row);
            expect([...found.keys()].slice(0, -1)).toEqual(
              [...expected.keys()].filter((id) => id >= 0).sort((a, b) => a - b),
            );
            for (const [entry, mass] of expected) expect(found.get(entry)).toBeCloseTo(mass, 6);
          }
      }),
    );
  });

  it("is nothing where no source was added", () => {
    const mixed = new KnowledgeMixture(ownKnowledge(KNOWLEDGE, "fate", 1), Float64Array.of(1, 1)).finish();
    expect([...mixed.positions]).toEqual([]);
    expect([...mixed.positionOffsets]).toEqual([0, 0, 0]);
  });

  it("of no samples is of none", () => {
    const none = makeKnowledge([], [1]);
    expect(new KnowledgeMixture(ownKnowledge(none, "fate", 1), new Float64Array(0)).finish().positions).toHaveLength(0);
  });

  it("refuses a source that speaks where the target has no position", () => {
    const own = ownKnowledge(makeKnowledge([2, 2], [1, 2, 3]), "fate", 1);
    const mixture = new KnowledgeMixture(own, Float64Array.of(1, 1, 1, 1));
    expect(() => mixture.add(0, ownKnowledge(KNOWLEDGE, "fate", 1))).toThrow(/sample 0: expected a source to speak at/);
  });
});
