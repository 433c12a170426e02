import { resolve } from "node:path";
import { describe, expect } from "@jest/globals";
import type { Model } from "../../../shared/src/ports/engine.ts";
import { itWithMaterial, material } from "../../support/material.ts";
import { engine } from "../../support/shared-engine.ts";
import { fixture, samplesOf, type TrainingCase } from "./fixture.ts";

const TOLERANCE = 1e-4;

async function withModel<T>(folder: string, use: (model: Model) => Promise<T>): Promise<T> {
  const model = await engine.open({ folder, lora: null, adapter: null, seed: 0, threads: 1 });
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

describe("inference against transformers", () => {
  for (const [name, wanted] of Object.entries(
    fixture.material as Record<
      string,
      { folder: string; samples: TrainingCase["samples"]; bytes: number[]; bitsPerByte: number }
    >,
  ))
    itWithMaterial(`pays as many bits a byte for ${name}`, async () => {
      await withModel(resolve(material!, wanted.folder), async (model) => {
        const nats = await model.score(samplesOf(wanted.samples, wanted.bytes), 4);
        const bytes = wanted.bytes.reduce((sum, count) => sum + count, 0);
        const bitsPerByte = nats.reduce((sum, loss) => sum + loss, 0) / bytes / Math.LN2;
        expect(Math.abs(bitsPerByte - wanted.bitsPerByte)).toBeLessThan(TOLERANCE);
      });
    });
});
