import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { createPacker } from "../../../shared/src/engine/batch.ts";
import { openCheckpoint } from "../../../shared/src/engine/checkpoint.ts";
import { trainingGraph } from "../../../shared/src/engine/graphs.ts";
import { adaptedLinears, loadLoraBank, saveBank } from "../../../shared/src/engine/lora-bank.ts";
import type { LoraDropout } from "../../../shared/src/engine/lora-dropout.ts";
import { createSession } from "../../../shared/src/engine/session.ts";
import { train } from "../../../shared/src/engine/training.ts";
import { firstStep } from "./first-step.ts";
import { distance, fixtures, optionsOf, type TrainingCase, worstDifference } from "./fixture.ts";

const TOLERANCE = 1e-4;

/** What scripts/fixtures/dropout.py wrote. */
const folder = resolve(fixtures, "../dropout");
const read = (name: string) => new Uint8Array(readFileSync(resolve(folder, name)));
const wanted = JSON.parse(readFileSync(resolve(folder, "fixture.json"), "utf8")) as TrainingCase & {
  /** by layer, step and sample: bits [tokens, in], the first in a byte's lowest */
  masks: Record<string, string[][]>;
};
const model = resolve(fixtures, wanted.folder);

/** The masks that PEFT drew. */
function peftsMasks(): LoraDropout {
  const linears = adaptedLinears(openCheckpoint(model).architecture, wanted.lora);
  return {
    linears,
    masks: () => (step, sample, masks) => {
      masks.forEach((mask, layer) => {
        const bits = Buffer.from(wanted.masks[linears[layer].name][step][sample], "base64");
        expect(bits.length * 8).toBeGreaterThanOrEqual(mask.length);
        for (let at = 0; at < mask.length; at++) mask[at] = (bits[at >> 3] >> (at & 7)) & 1;
      });
    },
  };
}

async function takeTenSteps(microBatchSize: number) {
  const checkpoint = openCheckpoint(model);
  const { architecture } = checkpoint;
  const { lora } = wanted;
  const bank = loadLoraBank(architecture, lora, read("initial.safetensors"), "the initial adapter");
  const options = optionsOf(wanted);
  const { lossByEpoch } = await train(
    {
      vocabularySize: architecture.vocabularySize,
      values: bank.values,
      entries: bank.entries,
      lora,
      dropout: peftsMasks(),
      checkGoingOn: () => {},
      pack: createPacker(architecture),
      session: (loss) =>
        createSession(
          trainingGraph({ checkpoint, bank, lora }, { ...loss, checkpointing: false }),
          checkpoint.folder,
          1,
        ),
    },
    { ...options, training: { ...options.training, microBatchSize } },
    () => {},
  );
  return { lossByEpoch, adapter: saveBank(bank) };
}

describe("LoRA dropout against PEFT's own", () => {
  it("gives the same loss and gradients where PEFT's masks are used", async () => {
    const { loss, gradients } = await firstStep(
      model,
      wanted.lora,
      read("initial.safetensors"),
      optionsOf(wanted),
      peftsMasks(),
    );
    expect(distance([loss], [wanted.losses[0]])).toBeLessThan(TOLERANCE);
    expect(worstDifference(gradients, read("gradient.safetensors"))).toBeLessThan(TOLERANCE);
  });

  it.each([5, 2, 1])("takes the same ten steps in micro-batches of %d samples", async (microBatchSize) => {
    const { lossByEpoch, adapter } = await takeTenSteps(microBatchSize);
    expect(distance(lossByEpoch, wanted.losses)).toBeLessThan(TOLERANCE);
    expect(worstDifference(adapter, read("final.safetensors"))).toBeLessThan(TOLERANCE);
  });

  it("is no small matter: without masks the gradients are others", async () => {
    const lora = { ...wanted.lora, dropout: 0 };
    const { gradients } = await firstStep(model, lora, read("initial.safetensors"), optionsOf(wanted));
    expect(worstDifference(gradients, read("gradient.safetensors"))).toBeGreaterThan(0.1);
  });
});
