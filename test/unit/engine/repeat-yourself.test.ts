import { describe, expect, it } from "@jest/globals";
import type { Model, SampleTarget } from "../../../shared/src/ports/engine.ts";
import { TOY_CONFIG, TOY_TRAINING, toyFolder, toyOptions, toySamples, withModel } from "./toy-model.ts";

const samples = toySamples(9, 8, 10);

/** At every position one token alone: that at so many places from it. */
const oneHots = (ahead: 0 | 1): SampleTarget[] =>
  samples.map(({ ids }) => ({
    positions: Int32Array.from({ length: ids.length - 1 }, (_, position) => position),
    offsets: Int32Array.from(ids, (_, position) => position),
    entries: ids.slice(ahead, ids.length - 1 + ahead),
    probabilities: new Float32Array(ids.length - 1).fill(1),
    tail: new Float32Array(ids.length - 1),
    partition: -1,
  }));

/** Mean probability of writing once more what was read last. */
async function repeats(model: Model): Promise<number> {
  const found: number[] = [];
  for (const { ids } of samples) {
    const logits = await model.logits(ids);
    ids.forEach((id, position) => {
      const row = logits.subarray(position * TOY_CONFIG.vocab_size, (position + 1) * TOY_CONFIG.vocab_size);
      found.push(Math.exp(row[id]) / row.reduce((sum, logit) => sum + Math.exp(logit), 0));
    });
  }
  return found.reduce((sum, probability) => sum + probability, 0) / found.length;
}

async function repeatsAfter(targets: SampleTarget[]): Promise<{ before: number; after: number }> {
  return withModel({ folder: toyFolder({ tie_word_embeddings: false }) }, async (model) => {
    const before = await repeats(model);
    await model.train(
      toyOptions({ samples, targets, lambda: 0, epochs: 30, training: { ...TOY_TRAINING, learningRate: 0.03 } }),
    );
    return { before, after: await repeats(model) };
  });
}

describe("the one-hot that stands where two tokenisations part", () => {
  it("knownDivergence (FATE-LLM's one-hot of the current token): a model that is trained on it learns to repeat itself; of the next token it does not", async () => {
    const current = await repeatsAfter(oneHots(0));
    expect(current.after).toBeGreaterThan(3 * current.before);
    const next = await repeatsAfter(oneHots(1));
    expect(next.after).toBeLessThan(current.after / 3);
  });
});
