import { resolve } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { createProcessTrainer } from "../../../shared/src/adapters/trainer/process-trainer.ts";
import type { GenerateOptions, Model } from "../../../shared/src/ports/engine.ts";
import { toyFolder } from "../../unit/engine/toy-model.ts";

const program = resolve(import.meta.dirname, "../../support/trainers/engine-trainer.ts");
const trainer = createProcessTrainer({ command: [process.execPath, "--no-warnings", program] });
afterAll(() => trainer.close());

const folder = toyFolder({ max_position_embeddings: 2048 });
const GENERATE: GenerateOptions = {
  prompt: Int32Array.of(1, 5, 9),
  maxTokens: 2000,
  temperature: 0,
  topK: null,
  topP: null,
  seed: 0,
  stop: [],
};

async function withModel(use: (model: Model) => Promise<void>): Promise<void> {
  const model = await trainer.open({ folder, lora: null, adapter: null, seed: 0, threads: 1 });
  try {
    await use(model);
  } finally {
    await model.close();
  }
}

async function firstOf(model: Model, options: Partial<GenerateOptions>) {
  for await (const token of model.generate({ ...GENERATE, ...options })) return token;
}

describe("generation by a trainer in a process of its own", () => {
  it("refuses what its protocol does not have: adapters at run time, and the likeliest tokens beside each", async () => {
    await withModel(async (model) => {
      const refusal = { name: "InvalidInputError", code: "GENERATION_UNSUPPORTED" };
      await expect(model.loadAdapter("a", { rank: 1, alpha: 1, weights: new Uint8Array(0) })).rejects.toMatchObject(
        refusal,
      );
      await model.unloadAdapter("a");
      await expect(firstOf(model, { adapter: "a" })).rejects.toMatchObject(refusal);
      await expect(firstOf(model, { adapter: null })).rejects.toMatchObject(refusal);
      await expect(firstOf(model, { topLogProbs: 1 })).rejects.toMatchObject(refusal);
      expect(await firstOf(model, { topLogProbs: 0 })).toMatchObject({ logProb: expect.any(Number) });
    });
  });

  it("ends with its signal's reason, and says how many texts there are", async () => {
    await withModel(async (model) => {
      const control = new AbortController();
      const stream = model.generate({ ...GENERATE, signal: control.signal })[Symbol.asyncIterator]();
      await stream.next();
      const waiting = firstOf(model, { maxTokens: 1 });
      expect(model.generationState()).toMatchObject({ running: 1, waiting: 1 });
      control.abort(new Error("the client went"));
      await expect(stream.next()).rejects.toThrow("the client went");
      expect(await waiting).toMatchObject({ id: expect.any(Number) });
      expect(model.generationState()).toMatchObject({ running: 0, waiting: 0 });
      await expect(firstOf(model, { signal: control.signal })).rejects.toThrow("the client went");
    });
  });
});
