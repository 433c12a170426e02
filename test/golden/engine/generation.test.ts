import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { describe, expect, it } from "@jest/globals";
import type { GeneratedToken, GenerateOptions, Model, OpenModel } from "../../../shared/src/ports/engine.ts";
import { itWithMaterial, itWithSmolLm2, material, smolLm2 } from "../../support/material.ts";
import { engine } from "../../support/shared-engine.ts";

/** Of log-probabilities, in nats: those of kept keys and values against those of the whole text, and against transformers'. */
const TOLERANCE = 1e-5;
const TOLERANCE_OF_TRANSFORMERS = 1e-4;

interface Continued {
  prompt: number[];
  ids: number[];
  logProbs: number[];
}

/** What scripts/fixtures/generation.py wrote. */
const fixtures = resolve(import.meta.dirname, "../fixtures");
const fixture = JSON.parse(readFileSync(resolve(fixtures, "generation/fixture.json"), "utf8")) as {
  folders: Record<string, Continued[]>;
  stories260k: Continued[];
  smollm2: Continued[];
};

/** Every model of every fixture. */
const folders = readdirSync(fixtures, { recursive: true, encoding: "utf8" })
  .filter((path) => basename(path) === "config.json")
  .map(dirname)
  .sort();

const GREEDY: Omit<GenerateOptions, "prompt"> = {
  maxTokens: 20,
  temperature: 0,
  topK: null,
  topP: null,
  seed: 0,
  stop: [],
};

async function withModel<T>(options: Partial<OpenModel> & { folder: string }, use: (model: Model) => Promise<T>) {
  const model = await engine.open({ lora: null, adapter: null, seed: 0, threads: 1, ...options });
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

async function continued(model: Model, options: Partial<GenerateOptions> & { prompt: Int32Array }) {
  const tokens: GeneratedToken[] = [];
  for await (const token of model.generate({ ...GREEDY, ...options })) tokens.push(token);
  return tokens;
}

async function expectContinuations(folder: string, wanted: readonly Continued[]): Promise<void> {
  await withModel({ folder }, async (model) => {
    for (const { prompt, ids, logProbs } of wanted) {
      const found = await continued(model, { prompt: Int32Array.from(prompt), maxTokens: ids.length });
      expect(found.map(({ id }) => id)).toEqual(ids);
      found.forEach(({ logProb }, index) => {
        expect(Math.abs(logProb - logProbs[index])).toBeLessThan(TOLERANCE_OF_TRANSFORMERS);
      });
    }
  });
}

/** Holds each token's log-probability against that of a run over the whole text, and the likeliest token against its argmax. */
async function expectAsWithoutCache(
  model: Model,
  prompt: Int32Array,
  greedy: boolean,
  maxTokens: number,
): Promise<void> {
  const tokens = await continued(model, { prompt, maxTokens, temperature: greedy ? 0 : 1.3, seed: 7 });
  expect(tokens.length).toBe(Math.min(maxTokens, model.contextTokens - prompt.length));
  const text = Int32Array.from([...prompt, ...tokens.map(({ id }) => id)]);
  const logits = await model.logits(text);
  tokens.forEach(({ id, logProb }, index) => {
    const begin = (prompt.length + index - 1) * model.vocabularySize;
    const row = logits.subarray(begin, begin + model.vocabularySize);
    expect(Math.abs(logProb - tokenLogProb(row, id))).toBeLessThan(TOLERANCE);
    if (greedy) expect(row[id]).toBeGreaterThanOrEqual(row.reduce((most, one) => Math.max(most, one)) - TOLERANCE);
  });
}

/** A token's natural log-probability, its sum taken in float64. */
function tokenLogProb(logits: Float32Array, id: number): number {
  const largest = logits.reduce((most, one) => Math.max(most, one));
  const mass = logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
  return logits[id] - largest - Math.log(mass);
}

describe("generation", () => {
  it.each(Object.entries(fixture.folders))("continues texts as transformers does: %s", async (name, wanted) => {
    await expectContinuations(resolve(fixtures, name), wanted);
  });

  it.each(folders)("gives with kept keys and values what the whole text gives: %s", async (name) => {
    await withModel({ folder: resolve(fixtures, name) }, async (model) => {
      const prompt = Int32Array.from({ length: 6 }, (_, index) => (index * 7 + 1) % model.vocabularySize);
      await expectAsWithoutCache(model, prompt, true, 40);
      await expectAsWithoutCache(model, prompt, false, 20);
      await expectAsWithoutCache(model, prompt.subarray(0, 1), false, 20);
    });
  });

  it.each(folders)("gives several texts at once what it gives each alone: %s", async (name) => {
    const options = { folder: resolve(fixtures, name), generation: { concurrent: 3, prefixBytes: 0 } };
    await withModel(options, async (model) => {
      const asked = [6, 1, 11, 3, 8].map((length, text) => ({
        prompt: Int32Array.from({ length }, (_, index) => (index * (7 + text) + 1) % model.vocabularySize),
        maxTokens: 6 + 5 * text,
        temperature: text % 2,
        seed: text,
      }));
      const together = await Promise.all(asked.map((each) => continued(model, each)));
      for (const [text, each] of asked.entries()) {
        const alone = await continued(model, each);
        expect(together[text].map(({ id }) => id)).toEqual(alone.map(({ id }) => id));
        together[text].forEach(({ logProb }, index) => {
          expect(Math.abs(logProb - alone[index].logProb)).toBeLessThan(TOLERANCE);
        });
      }
    });
  });

  itWithMaterial("continues 200 tokens of stories260k as transformers does", async () => {
    await expectContinuations(resolve(material!, "models/stories260k"), fixture.stories260k);
  });

  itWithMaterial("reads a prompt that is longer than one part, and goes on to the context's end", async () => {
    await withModel({ folder: resolve(material!, "models/stories260k") }, async (model) => {
      const long = fixture.stories260k[0];
      const prompt = Int32Array.from([...long.prompt, ...long.ids, ...long.ids, ...long.ids].slice(0, 480));
      await expectAsWithoutCache(model, prompt, true, 1000);
    });
  });

  itWithSmolLm2(
    "continues 64 tokens of SmolLM2-135M as transformers does, from three prompts",
    () => expectContinuations(smolLm2!, fixture.smollm2),
    300_000,
  );
});
