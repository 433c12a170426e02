import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { cutAtMass } from "../../../shared/src/core/top-p.ts";
import { makeKnowledge } from "../../support/knowledge.ts";

/** One position with these probabilities, and the tail that they leave. */
function oneOf(...probabilities: number[]) {
  const knowledge = makeKnowledge([2], [0.3, 2, -1], { vocabularySize: 8, topK: probabilities.length });
  knowledge.topLogProbs.set(probabilities.map(Math.log));
  knowledge.tailMass[0] = 1 - probabilities.reduce((sum, probability) => sum + probability, 0);
  return knowledge;
}

describe("a cut at a mass", () => {
  it("keeps entries up to the one that reaches it, and gives what is cut off to the tail", () => {
    const cut = cutAtMass(oneOf(0.5, 0.25, 0.125, 0.0625), 0.7);
    expect([...cut.entryOffsets]).toEqual([0, 2]);
    expect(cut.topLogProbs).toEqual(Float32Array.of(Math.log(0.5), Math.log(0.25)));
    expect(cut.tailMass[0]).toBeCloseTo(0.25, 6);
  });

  it("keeps no entry more where one reaches it exactly", () => {
    const cut = cutAtMass(oneOf(0.5, 0.25, 0.125), Math.exp(Math.fround(Math.log(0.5))));
    expect([...cut.entryOffsets]).toEqual([0, 1]);
  });

  it("keeps the likeliest entry though it has more mass alone", () => {
    expect([...cutAtMass(oneOf(0.9, 0.05), 0.1).entryOffsets]).toEqual([0, 1]);
  });

  it("keeps all entries where they do not reach it", () => {
    const knowledge = oneOf(0.5, 0.25);
    const cut = cutAtMass(knowledge, 0.99);
    expect(cut.topIds).toEqual(knowledge.topIds);
    expect(cut.tailMass[0]).toBeCloseTo(0.25, 6);
  });

  it("is none at 1", () => {
    const knowledge = oneOf(1, 1e-9);
    expect(cutAtMass(knowledge, 1)).toBe(knowledge);
  });

  it("leaves at every position the fewest entries that reach it, in order, and all mass", () => {
    const law = fc.property(
      fc.array(fc.double({ min: -4, max: 9, noNaN: true }), { minLength: 5, maxLength: 40 }),
      fc.double({ min: 0.01, max: 0.9999, noNaN: true }),
      (numbers, topP) => {
        const knowledge = makeKnowledge([4, 3], numbers, { vocabularySize: 12, topK: 9 });
        const cut = cutAtMass(knowledge, topP);
        expect(cut.positions).toEqual(knowledge.positions);
        for (let at = 0; at < cut.positions.length; at++) {
          const kept = cut.topLogProbs.subarray(cut.entryOffsets[at], cut.entryOffsets[at + 1]);
          const all = knowledge.topLogProbs.subarray(9 * at, 9 * at + 9);
          const ids = cut.topIds.subarray(cut.entryOffsets[at], cut.entryOffsets[at + 1]);
          expect(kept).toEqual(all.subarray(0, kept.length));
          expect(ids).toEqual(knowledge.topIds.subarray(9 * at, 9 * at + kept.length));
          const mass = (count: number) => kept.subarray(0, count).reduce((sum, value) => sum + Math.exp(value), 0);
          if (kept.length < 9) expect(mass(kept.length)).toBeGreaterThanOrEqual(topP);
          if (kept.length > 1) expect(mass(kept.length - 1)).toBeLessThan(topP);
          expect(mass(kept.length) + cut.tailMass[at]).toBeCloseTo(1, 5);
        }
      },
    );
    fc.assert(law, { numRuns: 200, seed: 11 });
  });
});
