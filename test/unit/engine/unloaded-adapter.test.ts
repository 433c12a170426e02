import { describe, expect, it } from "@jest/globals";
import type { GenerateOptions } from "../../../shared/src/ports/engine.ts";
import { hashedAdapter } from "../../support/hashed-adapter.ts";
import { toyFolder, withModel } from "./toy-model.ts";

const folder = toyFolder({ max_position_embeddings: 512, tie_word_embeddings: false });
const GENERATE: GenerateOptions = {
  prompt: Int32Array.from({ length: 40 }, (_, at) => 1 + ((at * 7) % 28)),
  maxTokens: 400,
  temperature: 0,
  topK: null,
  topP: null,
  seed: 1,
  stop: [],
};

describe("an adapter that is unloaded", () => {
  it("leaves nothing of its texts behind, though one was given up just before", async () => {
    const generation = { concurrent: 4, prefixBytes: 1e6 };
    await withModel({ folder, lora: null, generation }, async (model) => {
      await model.loadAdapter("a", hashedAdapter(folder, { rank: 2, alpha: 4, targets: ["q_proj"], seed: 3 }, 0.5));
      for await (const _ of model.generate({ ...GENERATE, adapter: "a" })) break;
      expect(model.generationState().prefixTokens).toBe(32);
      await model.unloadAdapter("a");
      // its beginning is too short to be kept, and it is told of after a step
      for await (const _ of model.generate({ ...GENERATE, prompt: Int32Array.of(1, 5), maxTokens: 2 }));
      expect(model.generationState()).toMatchObject({ running: 0, keptTokens: 0, prefixTokens: 0 });
    });
  });
});
