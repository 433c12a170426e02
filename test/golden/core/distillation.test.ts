import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { crossEntropy } from "../../../shared/src/core/distillation/cross-entropy.ts";
import {
  type SparseTarget,
  sparseDistillationLoss,
} from "../../../shared/src/core/distillation/sparse-distillation-loss.ts";
import { sparseKlDivergence } from "../../../shared/src/core/distillation/sparse-kl-divergence.ts";
import { type StepSample, stepLoss } from "../../../shared/src/core/distillation/step-loss.ts";

interface Differentiated {
  loss: number;
  gradient: number[];
}

interface Fixture {
  positions: {
    logits: number[];
    target: SparseTarget;
    temperature: number;
    groups: number[] | null;
    softCrossEntropy: Differentiated;
    kl: Differentiated;
  }[];
  steps: {
    lambda: number;
    temperature: number;
    samples: {
      logits: number[][];
      ids: number[];
      answer: number[];
      groups: number[] | null;
      taught: [number, SparseTarget][];
    }[];
    loss: number;
    gradients: number[][][];
  }[];
  fate: {
    logits: number[][];
    ids: number[];
    prompt: number;
    kdAlpha: number;
    dense: number[][];
  } & Record<"all" | "allButLast", { ce: number; kl: number; ceGradient: number[][]; klGradient: number[][] }>;
}

/** What scripts/fixtures/distillation.py wrote. */
const fixture: Fixture = JSON.parse(
  readFileSync(new URL("../fixtures/distillation/losses.json", import.meta.url), "utf8"),
);

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  for (let index = 0; index < actual.length; index++) expect(actual[index]).toBeCloseTo(expected[index], 11);
}

/** FATE-LLM's one sample as a step of ours: its dense targets, zeros left out, at the positions asked for. */
function fateStep(positions: number): { loss: number; gradients: Float64Array[][] } {
  const { logits, ids, prompt, kdAlpha, dense } = fixture.fate;
  const sparse = (row: number[]): SparseTarget => {
    const entries = row.flatMap((mass, token) => (mass > 0 ? [token] : []));
    return { entries, probabilities: entries.map((token) => row[token]), tail: 0 };
  };
  const sample: StepSample = {
    logits,
    ids,
    answer: ids.map((_, token) => (token < prompt ? 0 : 1)),
    taught: new Map(dense.slice(0, positions).map((row, position) => [position, sparse(row)])),
    groupOfToken: null,
  };
  return stepLoss([sample], kdAlpha, 1);
}

describe("The losses as PyTorch computes them", () => {
  it("are equal at single positions: with and without a tail, tempered, of tokens and of groups", () => {
    expect(fixture.positions).toHaveLength(12);
    for (const { logits, target, temperature, groups, softCrossEntropy, kl } of fixture.positions) {
      const soft = sparseDistillationLoss(logits, target, temperature, groups);
      expect(soft.loss).toBeCloseTo(softCrossEntropy.loss, 11);
      expectClose(soft.gradient, softCrossEntropy.gradient);
      const divergence = sparseKlDivergence(logits, target, temperature, groups);
      expect(divergence.loss).toBeCloseTo(kl.loss, 11);
      expectClose(divergence.gradient, kl.gradient);
    }
  });

  it("are equal over whole steps: λ, answers, selected samples, positions of the prompt", () => {
    expect(fixture.steps).toHaveLength(4);
    for (const { lambda, temperature, samples, loss, gradients } of fixture.steps) {
      const found = stepLoss(
        samples.map(({ groups, taught, ...sample }) => ({ ...sample, groupOfToken: groups, taught: new Map(taught) })),
        lambda,
        temperature,
      );
      expect(found.loss).toBeCloseTo(loss, 11);
      gradients.forEach((rows, sample) => {
        rows.forEach((row, position) => {
          expectClose(found.gradients[sample][position], row);
        });
      });
    }
  });

  it("are FATE-LLM's where they stand at the same positions, and its kl has the gradient of its ce", () => {
    const { allButLast, ids } = fixture.fate;
    const found = fateStep(ids.length - 1);
    expect(found.loss).toBeCloseTo(allButLast.ce, 11);
    allButLast.ceGradient.forEach((row, position) => {
      expectClose(found.gradients[0][position], row);
      expectClose(allButLast.klGradient[position], row);
    });
    expect(allButLast.kl).toBeLessThan(allButLast.ce);
  });

  it("knownDivergence (FATE-LLM's loss at the last token): nothing is learned where nothing follows", () => {
    const { all, ids } = fixture.fate;
    const last = ids.length - 1;
    expect([...fateStep(last).gradients[0][last]].every((slope) => slope === 0)).toBe(true);
    expect(Math.max(...all.ceGradient[last].map(Math.abs))).toBeGreaterThan(1e-3);
    // with the last token it would be FATE-LLM's number: that token is all that differs
    expect(fateStep(ids.length).loss).toBeCloseTo(all.ce, 11);
  });

  it("knownDivergence (FATE-LLM tempers the source alone): the student's logits are tempered too, as a distribution's peer must be", () => {
    const logits = [2, 1, 0, -1];
    const tempered = { entries: [0, 1, 2, 3], probabilities: softmaxAt(2, logits), tail: 0 };
    // a student that equals the source learns nothing here, and is pulled towards the flatter distribution there
    for (const slope of sparseDistillationLoss(logits, tempered, 2, null).gradient) expect(slope).toBeCloseTo(0, 12);
    const there = logits.map((_, token) =>
      tempered.probabilities.reduce((sum, p, label) => sum + p * crossEntropy(logits, label).gradient[token], 0),
    );
    expect(Math.max(...there.map(Math.abs))).toBeGreaterThan(0.1);
  });
});

function softmaxAt(temperature: number, logits: readonly number[]): number[] {
  const raised = logits.map((logit) => Math.exp(logit / temperature));
  const total = raised.reduce((sum, value) => sum + value, 0);
  return raised.map((value) => value / total);
}
