import { resolve } from "node:path";
import { describe, expect, it } from "@jest/globals";
import type { Model, SampleKnowledge } from "../../../shared/src/ports/engine.ts";
import { itWithMaterial, material } from "../../support/material.ts";
import { engine } from "../../support/shared-engine.ts";
import { distance, fixture, fixtures, samplesOf, type TrainingCase } from "./fixture.ts";

const TOLERANCE = 1e-4;

interface InferenceCase {
  samples: TrainingCase["samples"];
  topK: number;
  logits: number[][];
  nats: number[];
  extracted: { positions: number[]; topIds: number[][]; topLogProbs: number[][] }[];
}

async function withModel<T>(folder: string, use: (model: Model) => Promise<T>): Promise<T> {
  const model = await engine.open({ folder, lora: null, adapter: null, seed: 0, threads: 1 });
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

describe("inference against transformers", () => {
  const cases = Object.entries(fixture.inference as Record<string, InferenceCase>);

  it.each(cases)("gives the logits and losses of the %s model", async (name, wanted) => {
    await withModel(resolve(fixtures, name), async (model) => {
      const logits = await model.logits(Int32Array.from(wanted.samples[0].ids));
      expect(distance(logits, wanted.logits.flat())).toBeLessThan(TOLERANCE);
      expect(distance(await model.score(samplesOf(wanted.samples), 2), wanted.nats)).toBeLessThan(TOLERANCE);
    });
  });

  it.each(cases)("extracts the knowledge of the %s model", async (name, wanted) => {
    await withModel(resolve(fixtures, name), async (model) => {
      const found: SampleKnowledge[] = [];
      for await (const known of model.extract(samplesOf(wanted.samples), wanted.topK, 2)) found.push(known);
      expect(found.map(({ positions }) => [...positions])).toEqual(wanted.extracted.map(({ positions }) => positions));
      expect(found.map(({ topIds }) => [...topIds])).toEqual(wanted.extracted.map(({ topIds }) => topIds.flat()));
      found.forEach(({ topLogProbs, lossNats }, index) => {
        expect(distance(topLogProbs, wanted.extracted[index].topLogProbs.flat())).toBeLessThan(TOLERANCE);
        expect(distance([lossNats], [wanted.nats[index]])).toBeLessThan(TOLERANCE);
      });
    });
  });

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
