import { resolve } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { itWithMaterial, material } from "../../support/material.ts";
import { engine } from "../../support/shared-engine.ts";
import { firstStep } from "./first-step.ts";
import { distance, fixture, fixtures, optionsOf, readFixture, type TrainingCase, worstDifference } from "./fixture.ts";

const TOLERANCE = 1e-4;

async function expectSameGradient(name: string, folder: string, wanted: TrainingCase): Promise<void> {
  const initial = readFixture(`${name}.initial.safetensors`);
  const { loss, gradients } = await firstStep(folder, wanted.lora, initial, optionsOf(wanted));
  expect(distance([loss], [wanted.losses[0]])).toBeLessThan(TOLERANCE);
  expect(worstDifference(gradients, readFixture(`${name}.gradient.safetensors`))).toBeLessThan(TOLERANCE);
}

async function expectSameTenSteps(name: string, folder: string, wanted: TrainingCase): Promise<void> {
  const model = await engine.open({
    folder,
    lora: wanted.lora,
    adapter: readFixture(`${name}.initial.safetensors`),
    seed: 0,
    threads: 1,
  });
  try {
    const { steps, lossByEpoch } = await model.train(optionsOf(wanted));
    expect(steps).toBe(10);
    expect(distance(lossByEpoch, wanted.losses)).toBeLessThan(TOLERANCE);
    expect(worstDifference(await model.adapter(), readFixture(`${name}.final.safetensors`))).toBeLessThan(TOLERANCE);
  } finally {
    await model.close();
  }
}

describe("training against PyTorch and PEFT", () => {
  const cases = Object.entries(fixture.training as Record<string, TrainingCase>);

  it("is shown for each schedule, with warm-up, for clipping that bites, and for uneven lengths in micro-batches", () => {
    const all = cases.map(([, wanted]) => wanted);
    for (const schedule of ["constant", "linear", "cosine"])
      expect(all.some(({ training }) => training.schedule === schedule && training.warmupRatio > 0)).toBe(true);
    expect(all.some(({ training, norms }) => training.clipNorm && Math.max(...norms) > training.clipNorm)).toBe(true);
    expect(all.some(({ training }) => training.clipNorm === null)).toBe(true);
    const accumulated = all.filter(({ training }) => training.microBatchSize);
    expect(accumulated.some(({ samples }) => new Set(samples.map(({ ids }) => ids.length)).size > 3)).toBe(true);
  });

  it.each(cases)("computes the LoRA gradients of %s", async (name, wanted) => {
    await expectSameGradient(name, resolve(fixtures, wanted.folder), wanted);
  });

  itWithMaterial("computes the LoRA gradients of stories260k", async () => {
    await expectSameGradient("stories", resolve(material!, fixture.stories.folder), fixture.stories);
  });

  itWithMaterial("takes the same ten AdamW steps with stories260k", async () => {
    await expectSameTenSteps("stories", resolve(material!, fixture.stories.folder), fixture.stories);
  });
});
