import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { createEngine } from "../../../shared/src/engine/engine.ts";
import { readSafetensors, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import type { GeneratedToken, GenerateOptions, Model } from "../../../shared/src/ports/engine.ts";
import { toyFolder, toyOptions, withModel } from "./toy-model.ts";

/** To the end of the toy's context of 16 tokens, unless a test says otherwise. */
const GENERATE: GenerateOptions = {
  prompt: Int32Array.of(1, 5, 9),
  maxTokens: 100,
  temperature: 1,
  topK: null,
  topP: null,
  seed: 1,
  stop: [],
};

async function generated(model: Model, options: Partial<GenerateOptions> = {}): Promise<GeneratedToken[]> {
  const tokens: GeneratedToken[] = [];
  for await (const token of model.generate({ ...GENERATE, ...options })) tokens.push(token);
  return tokens;
}

const idsOf = (tokens: readonly GeneratedToken[]) => tokens.map(({ id }) => id);
const firstOf = (stream: AsyncIterable<GeneratedToken>) => stream[Symbol.asyncIterator]().next();

describe("generating a text", () => {
  it("gives equal texts for equal seeds, and others for other seeds", async () => {
    await withModel({}, async (model) => {
      const first = await generated(model, { seed: 4 });
      expect(await generated(model, { seed: 4 })).toEqual(first);
      expect(await generated(model, { seed: 5 })).not.toEqual(first);
    });
  });

  it("ends at the context's end, after maxTokens, and at a stop token, which it does not give out", async () => {
    await withModel({}, async (model) => {
      const whole = idsOf(await generated(model));
      expect(whole).toHaveLength(13);
      expect(idsOf(await generated(model, { maxTokens: 4 }))).toEqual(whole.slice(0, 4));
      expect(await generated(model, { maxTokens: 0 })).toEqual([]);
      const stop = whole[6];
      expect(idsOf(await generated(model, { stop: [stop] }))).toEqual(whole.slice(0, whole.indexOf(stop)));
      expect(await generated(model, { prompt: new Int32Array(16) })).toEqual([]);
      expect(await generated(model, { prompt: new Int32Array(15) })).toHaveLength(1);
    });
  });

  it("goes on with several texts of a model in turns, as with each alone, and with other work between", async () => {
    await withModel({}, async (model) => {
      const prompts = [Int32Array.of(1, 2), Int32Array.of(1, 20, 3, 4)];
      const alone = [await generated(model, { prompt: prompts[0] }), await generated(model, { prompt: prompts[1] })];
      const streams = prompts.map((prompt) => model.generate({ ...GENERATE, prompt })[Symbol.asyncIterator]());
      const together: GeneratedToken[][] = [[], []];
      for (let round = 0; round < 12; round++) {
        for (const [index, stream] of streams.entries()) {
          const { value, done } = await stream.next();
          if (!done) together[index].push(value);
        }
        await model.logits(prompts[0]);
      }
      expect(together[0]).toEqual(alone[0].slice(0, 12));
      expect(together[1]).toEqual(alone[1].slice(0, 12));
    });
  });

  it("ends where its loop is left, and leaves the model ready for the next text", async () => {
    await withModel({}, async (model) => {
      const whole = await generated(model);
      for await (const token of model.generate(GENERATE)) {
        expect(token).toEqual(whole[0]);
        break;
      }
      expect(await generated(model)).toEqual(whole);
    });
  });

  it("uses the adapter as it is now", async () => {
    await withModel({}, async (model) => {
      const before = await generated(model, { temperature: 0 });
      await model.train(toyOptions({ epochs: 4, training: { ...toyOptions().training, learningRate: 0.1 } }));
      const after = await generated(model, { temperature: 0 });
      expect(after[0].logProb).not.toBe(before[0].logProb);
      const prompt = [...GENERATE.prompt];
      for (const { id } of after) {
        const logits = await model.logits(Int32Array.from(prompt));
        const last = logits.subarray(-model.vocabularySize);
        expect(last[id]).toBeCloseTo(Math.max(...last), 5);
        prompt.push(id);
      }
    });
  });

  it("is lost where the model is trained meanwhile", async () => {
    await withModel({}, async (model) => {
      const stream = model.generate(GENERATE)[Symbol.asyncIterator]();
      await stream.next();
      await model.train(toyOptions({ epochs: 1 }));
      const rest = async () => {
        while (!(await stream.next()).done);
      };
      await expect(rest()).rejects.toMatchObject({ name: "InvariantError", code: "GENERATION_LOST" });
    });
  });

  it("ends with ENGINE_CLOSED where its model is closed", async () => {
    const engine = createEngine();
    const model = await engine.open({ folder: toyFolder(), lora: null, adapter: null, seed: 1, threads: 1 });
    const rest = async () => {
      for await (const _ of model.generate(GENERATE)) void model.close();
    };
    await expect(rest()).rejects.toMatchObject({ code: "ENGINE_CLOSED" });
    await expect(firstOf(model.generate(GENERATE))).rejects.toMatchObject({ code: "ENGINE_CLOSED" });
    await engine.close();
  });

  it("leaves the event loop free", async () => {
    await withModel({ folder: toyFolder({ max_position_embeddings: 1024 }) }, async (model) => {
      let beats = 0;
      const heart = setInterval(() => beats++, 1);
      await generated(model, { maxTokens: 500 });
      clearInterval(heart);
      expect(beats).toBeGreaterThan(5);
    });
  });

  it("refuses a model that gives NaN", async () => {
    const folder = toyFolder();
    const path = join(folder, "model.safetensors");
    const tensors = Object.fromEntries(readSafetensors(new Uint8Array(readFileSync(path)), path).tensors);
    tensors["model.norm.weight"] = { dtype: "F32", shape: [16], data: new Float32Array(16).fill(Number.NaN) };
    writeFileSync(path, writeSafetensors(tensors));
    await withModel({ folder }, (model) =>
      expect(generated(model)).rejects.toMatchObject({ name: "InvalidInputError", code: "MODEL_NOT_FINITE" }),
    );
  });

  const wrong: [Partial<GenerateOptions>, string][] = [
    [{ prompt: new Int32Array(0) }, "prompt: expected at least one token, got none"],
    [{ prompt: new Int32Array(17) }, "prompt: expected at most 16 tokens, the model's context, got 17"],
    [{ prompt: Int32Array.of(1, 29) }, "prompt: expected token ids from 0 to 28, the model's vocabulary, got 29"],
    [{ stop: [-1] }, "stop: expected token ids from 0 to 28, the model's vocabulary, got -1"],
    [{ maxTokens: 1.5 }, "maxTokens: expected a whole number from 0, got 1.5"],
    [{ temperature: -1 }, "temperature: expected a number from 0, got -1"],
    [{ temperature: Number.NaN }, "temperature: expected a number from 0, got NaN"],
    [{ topK: 0 }, "topK: expected null or a whole number from 1, got 0"],
    [{ topP: 0 }, "topP: expected null or a number above 0 and at most 1, got 0"],
    [{ topP: 1.1 }, "topP: expected null or a number above 0 and at most 1, got 1.1"],
    [{ seed: -2 }, "seed: expected a whole number from 0, got -2"],
  ];

  it("refuses options that make no sense, naming the field", async () => {
    await withModel({}, async (model) => {
      for (const [options, message] of wrong)
        await expect(firstOf(model.generate({ ...GENERATE, ...options }))).rejects.toMatchObject({
          name: "InvalidInputError",
          code: "GENERATION_INVALID",
          message: `generation: ${message}`,
        });
    });
  });
});
