import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { crossEntropy } from "../../../shared/src/core/distillation/cross-entropy.ts";
import {
  type SparseTarget,
  sparseDistillationLoss,
} from "../../../shared/src/core/distillation/sparse-distillation-loss.ts";
import { sparseKlDivergence } from "../../../shared/src/core/distillation/sparse-kl-divergence.ts";
import { KNOWLEDGE_MEANS, stepLoss } from "../../../shared/src/core/distillation/step-loss.ts";

const V = 7;
const logits = fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: V, maxLength: V });
const groups = fc.constantFrom(null, [0, 1, 2, 3, 4, 5, 6], [0, 1, 0, 2, 2, 3, 0]);
const temperature = fc.constantFrom(1, 2, 0.7);

/** Some entries and a tail that sum to 1. */
const target = fc
  .record({
    entries: fc.uniqueArray(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3 }),
    masses: fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 }),
  })
  .map(({ entries, masses }): SparseTarget => {
    const total = entries.reduce((sum, _, index) => sum + masses[index], masses[3]);
    return { entries, probabilities: entries.map((_, index) => masses[index] / total), tail: masses[3] / total };
  });

function numericGradient(loss: (logits: number[]) => number, at: number[]): number[] {
  const h = 1e-5;
  return at.map((_, index) => {
    const moved = (by: number) => loss(at.map((value, other) => (other === index ? value + by : value)));
    return (moved(h) - moved(-h)) / (2 * h);
  });
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, digits: number): void {
  expect(actual.length).toBe(expected.length);
  for (let index = 0; index < actual.length; index++) expect(actual[index]).toBeCloseTo(expected[index], digits);
}

describe("the distillation loss", () => {
  it("has the gradient that finite differences find", () => {
    fc.assert(
      fc.property(logits, target, temperature, groups, (row, learned, t, groupOfToken) => {
        const { gradient } = sparseDistillationLoss(row, learned, t, groupOfToken);
        const numeric = numericGradient((moved) => sparseDistillationLoss(moved, learned, t, groupOfToken).loss, row);
        expectClose(gradient, numeric, 5);
      }),
    );
  });

  it("is the Kullback-Leibler divergence but for the target's entropy: at least 0, and of the same gradient", () => {
    fc.assert(
      fc.property(logits, target, temperature, groups, (row, learned, t, groupOfToken) => {
        const divergence = sparseKlDivergence(row, learned, t, groupOfToken);
        expect(divergence.loss).toBeGreaterThan(-1e-9);
        expectClose(divergence.gradient, sparseDistillationLoss(row, learned, t, groupOfToken).gradient, 12);
        const numeric = numericGradient((moved) => sparseKlDivergence(moved, learned, t, groupOfToken).loss, row);
        expectClose(divergence.gradient, numeric, 5);
      }),
    );
  });

  it("over a whole step has the gradient that finite differences find, at answers and at the prompt", () => {
    const step = fc.record({
      rows: fc.array(logits, { minLength: 4, maxLength: 4 }),
      ids: fc.array(fc.integer({ min: 0, max: V - 1 }), { minLength: 4, maxLength: 4 }),
      answer: fc.array(fc.constantFrom(0, 1), { minLength: 3, maxLength: 3 }),
      taught: fc.array(fc.option(target), { minLength: 3, maxLength: 3 }),
      lambda: fc.constantFrom(0, 0.3, 0.9, 1),
      mean: fc.constantFrom(...KNOWLEDGE_MEANS),
    });
    fc.assert(
      fc.property(step, temperature, groups, ({ rows, ids, answer, taught, lambda, mean }, t, groupOfToken) => {
        const at = (moved: number[]) => ({
          logits: rows.map((_, token) => moved.slice(token * V, (token + 1) * V)),
          ids,
          answer: [0, ...answer],
          taught: new Map(taught.flatMap((found, position) => (found ? [[position, found] as const] : []))),
          groupOfToken,
        });
        const numeric = numericGradient((moved) => stepLoss([at(moved)], lambda, t, mean).loss, rows.flat());
        const { gradients } = stepLoss([at(rows.flat())], lambda, t, mean);
        expectClose(
          gradients[0].flatMap((row) => [...row]),
          numeric,
          5,
        );
      }),
      { numRuns: 40 },
    );
  });

  describe("over a step of which little is selected", () => {
    const row = [0.3, -1, 2, 0, 0.5, 1, -0.2];
    const learned: SparseTarget = { entries: [1], probabilities: [0.75], tail: 0.25 };
    const sample = (answers: number, taught: [number, SparseTarget][]) => ({
      logits: [row, row, row, row, row],
      ids: [0, 1, 2, 3, 4],
      answer: [0, 1, 1, 1, 1].map((_, token) => (token > 4 - answers ? 1 : 0)),
      taught: new Map(taught),
      groupOfToken: null,
    });
    const kd = sparseDistillationLoss(row, learned, 1, null).loss;

    it("weighs one taught position as much as all of them by the mean of what is taught", () => {
      for (const taught of [[[3, learned]], [0, 1, 2, 3].map((at) => [at, learned])] as [number, SparseTarget][][])
        expect(stepLoss([sample(4, taught)], 0, 1, "taught").loss).toBeCloseTo(kd, 12);
    });

    it("weighs it by its share of the step's answers by the mean of all", () => {
      const step = [sample(4, [[3, learned]]), sample(2, [])];
      expect(stepLoss(step, 0, 1, "all").loss).toBeCloseTo(kd / 6, 12);
      expect(stepLoss(step, 0.25, 1, "all").loss - stepLoss(step, 0.25, 1).loss).toBeCloseTo(0.75 * (kd / 6 - kd), 12);
    });

    it("is the same by either mean where all answers are taught", () => {
      const whole = [
        sample(
          2,
          [2, 3].map((at) => [at, learned]),
        ),
      ];
      expect(stepLoss(whole, 0.4, 1, "all")).toEqual(stepLoss(whole, 0.4, 1, "taught"));
    });

    it("is 0 by the mean of all where there is no answer, and at λ = 0 where nothing is taught", () => {
      for (const [step, mean] of [
        [sample(0, [[3, learned]]), "all"],
        [sample(4, []), "taught"],
        [sample(4, []), "all"],
      ] as const) {
        const { loss, gradients } = stepLoss([step], 0, 1, mean);
        expect(loss).toBe(0);
        expect(gradients.flat().every((gradient) => gradient.every((slope) => slope === 0))).toBe(true);
      }
    });
  });

  it("is least, with no gradient, where the student already holds the target", () => {
    fc.assert(
      fc.property(target, (learned) => {
        const q = new Float64Array(V);
        const free = Array.from({ length: V }, (_, token) => token).filter(
          (token) => ![...Array.from(learned.entries)].includes(token),
        );
        for (const token of free) q[token] = learned.tail / free.length;
        for (let index = 0; index < learned.entries.length; index++)
          q[learned.entries[index]] = learned.probabilities[index];
        const { loss, gradient } = sparseDistillationLoss([...q].map(Math.log), learned, 1, null);
        for (const value of gradient) expect(value).toBeCloseTo(0, 10);
        const entropy = -[...Array.from(learned.probabilities), learned.tail].reduce(
          (sum, p) => sum + p * Math.log(p),
          0,
        );
        expect(loss).toBeCloseTo(entropy, 10);
      }),
    );
  });

  it("is the cross entropy of soft labels where nothing is cut off", () => {
    fc.assert(
      fc.property(logits, fc.integer({ min: 0, max: V - 1 }), (row, label) => {
        const hard = crossEntropy(row, label);
        const soft = sparseDistillationLoss(row, { entries: [label], probabilities: [1], tail: 0 }, 1, null);
        expect(soft.loss).toBeCloseTo(hard.loss, 10);
        expectClose(soft.gradient, hard.gradient, 10);
      }),
    );
  });

  it("learns a group's mass without preferring any of its tokens", () => {
    const { gradient } = sparseDistillationLoss(
      [1, 2, 0, 0],
      { entries: [0], probabilities: [0.9], tail: 0.1 },
      1,
      [0, 0, 1, 1],
    );
    expect(gradient[0] / gradient[1]).toBeCloseTo(Math.exp(1) / Math.exp(2), 10);
  });

  it("knownDivergence (FATE-LLM renormalises the kept entries): cut-off mass stays a tail, so nothing grows by being cut", () => {
    const q = [0.5, 0.3, 0.2];
    const cut = sparseDistillationLoss(q.map(Math.log), { entries: [0], probabilities: [0.5], tail: 0.5 }, 1, null);
    for (const value of cut.gradient) expect(value).toBeCloseTo(0, 12);
    const renormalised = sparseDistillationLoss(
      q.map(Math.log),
      { entries: [0], probabilities: [1], tail: 0 },
      1,
      null,
    );
    expect(renormalised.gradient[0]).toBeCloseTo(-0.5, 12);
  });

  it("holds still where the student leaves less than ε to the tail", () => {
    const { loss, gradient } = sparseDistillationLoss(
      [40, 0],
      { entries: [0], probabilities: [0.5], tail: 0.5 },
      1,
      null,
    );
    expect(loss).toBeCloseTo(-0.5 * Math.log(1e-6), 6);
    for (const value of gradient) expect(Math.abs(value)).toBeLessThan(1e-12);
  });
});
