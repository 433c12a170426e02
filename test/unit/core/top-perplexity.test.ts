import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { cutAtMass } from "../../../shared/src/core/top-p.ts";
import { cutAtPerplexity } from "../../../shared/src/core/top-perplexity.ts";
import { makeKnowledge } from "../../support/knowledge.ts";

/** One position with these probabilities, and the tail that they leave. */
function oneOf(...probabilities: number[]) {
  const knowledge = makeKnowledge([2], [0.3, 2, -1], { vocabularySize: 16, topK: probabilities.length });
  knowledge.topLogProbs.set(probabilities.map(Math.log));
  knowledge.tailMass[0] = 1 - probabilities.reduce((sum, probability) => sum + probability, 0);
  return knowledge;
}
const kept = (factor: number, ...probabilities: number[]) =>
  cutAtPerplexity(oneOf(...probabilities), factor).entryOffsets[1];

describe("A cut at a multiple of the perplexity", () => {
  it("keeps as many of even tokens as there are, times the factor, rounded up", () => {
    const even = Array.from({ length: 8 }, () => 1 / 8);
    expect(kept(1, ...even)).toBe(8);
    expect(kept(0.5, ...even)).toBe(4);
    expect(kept(0.51, ...even)).toBe(5);
  });

  it("counts the tail as one token", () => {
    // two entries and a tail of a third each: perplexity 3, so that a factor of 0.4 leaves two of them, and 0.3 one
    expect(kept(0.4, 1 / 3, 1 / 3)).toBe(2);
    expect(kept(0.3, 1 / 3, 1 / 3)).toBe(1);
    // entropy 0.72 of the entries and 0.23 of the tail: perplexity 2.6
    expect(kept(0.4, 0.45, 0.45)).toBe(2);
    // were the tail not counted: exp(2/3 · ln 3) · 0.4 = 0.83
    expect(kept(0.65, 0.25, 0.25, 0.25)).toBe(3);
    expect(kept(0.5, 0.25, 0.25, 0.25)).toBe(2);
  });

  it("keeps few where the model is sure and many where it is not", () => {
    // perplexities 1.13 and 3.6
    expect(kept(2, 0.98, 0.01, 0.005, 0.005)).toBe(3);
    expect(kept(1, 0.98, 0.01, 0.005, 0.005)).toBe(2);
    expect(kept(1, 0.4, 0.3, 0.2, 0.1)).toBe(4);
    expect(kept(0.9, 0.4, 0.3, 0.2, 0.1)).toBe(4);
    expect(kept(0.8, 0.4, 0.3, 0.2, 0.1)).toBe(3);
  });

  it("keeps the likeliest, and never more than there are", () => {
    expect(kept(0.001, 0.5, 0.25)).toBe(1);
    expect(kept(1000, 0.5, 0.25)).toBe(2);
    expect(kept(1, 1)).toBe(1);
  });

  it("gives what it cuts off to the tail", () => {
    const cut = cutAtPerplexity(oneOf(0.5, 0.25, 0.125, 0.0625), 0.5);
    expect([...cut.entryOffsets]).toEqual([0, 2]);
    expect(cut.topLogProbs).toEqual(Float32Array.of(Math.log(0.5), Math.log(0.25)));
    expect(cut.tailMass[0]).toBeCloseTo(0.25, 6);
  });

  it("is none where no factor is given", () => {
    const knowledge = oneOf(0.9, 0.05);
    expect(cutAtPerplexity(knowledge, undefined)).toBe(knowledge);
  });

  it("leaves, with a cut at a mass after it, what the stricter of the two leaves alone", () => {
    const law = fc.property(
      fc.array(fc.double({ min: -4, max: 9, noNaN: true }), { minLength: 5, maxLength: 40 }),
      fc.double({ min: 0.01, max: 0.9999, noNaN: true }),
      fc.double({ min: 0.05, max: 4, noNaN: true }),
      (numbers, topP, factor) => {
        const knowledge = makeKnowledge([4, 3], numbers, { vocabularySize: 12, topK: 9 });
        const byMass = cutAtMass(knowledge, topP);
        const byPerplexity = cutAtPerplexity(knowledge, factor);
        const both = cutAtMass(byPerplexity, topP);
        for (let at = 0; at < both.positions.length; at++) {
          const count = ({ entryOffsets }: typeof both) => entryOffsets[at + 1] - entryOffsets[at];
          expect(count(both)).toBe(Math.min(count(byMass), count(byPerplexity)));
          const ids = both.topIds.subarray(both.entryOffsets[at], both.entryOffsets[at + 1]);
          expect(ids).toEqual(knowledge.topIds.subarray(9 * at, 9 * at + ids.length));
        }
      },
    );
    fc.assert(law, { numRuns: 100, seed: 12 });
  });
});
