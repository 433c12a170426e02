import { describe, expect, it } from "@jest/globals";
import { clipByGlobalNorm, createAdamW, freshMoments } from "../../../shared/src/engine/optimizer/adamw.ts";
import { createSchedule } from "../../../shared/src/engine/optimizer/schedule.ts";
import { distance, fixture } from "./fixture.ts";

describe("the optimizer against PyTorch and transformers", () => {
  it("takes torch's AdamW steps with torch's clipping", () => {
    const { betas, epsilon, weightDecay, learningRate, clipNorm, initial, steps } = fixture.optimizer;
    const parameters = Float32Array.from(initial);
    const update = createAdamW({ betas, epsilon, weightDecay }, freshMoments(parameters.length));
    for (const step of steps) {
      const gradient = Float32Array.from(step.gradient);
      expect(clipByGlobalNorm(gradient, clipNorm)).toBeCloseTo(step.norm, 4);
      update(parameters, gradient, learningRate);
      expect(distance(parameters, step.parameters)).toBeLessThan(1e-6);
    }
  });

  it.each(
    (
      fixture.schedules as { kind: "constant"; peak: number; steps: number; warmupRatio: number; rates: number[] }[]
    ).map((wanted) => [wanted.kind, wanted.warmupRatio, wanted] as const),
  )("gives the rates of transformers' %s schedule with warm-up %d", (_kind, _ratio, wanted) => {
    const rate = createSchedule(wanted.kind, wanted.peak, wanted.steps, wanted.warmupRatio);
    expect(
      distance(
        wanted.rates.map((_, step) => rate(step)),
        wanted.rates,
      ),
    ).toBeLessThan(1e-7);
  });

  it("knownDivergence (transformers): a warm-up never takes a whole phase, so that a single step learns", () => {
    for (const kind of ["constant", "linear", "cosine"] as const) {
      expect(createSchedule(kind, 0.5, 1, 0.05)(0)).toBe(0.5);
      expect([0, 1].map(createSchedule(kind, 0.5, 2, 1))).toEqual([0, 0.5]);
      const whole = createSchedule(kind, 0.5, 6, 1);
      expect(Array.from({ length: 6 }, (_, step) => whole(step))).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5]);
    }
  });
});
