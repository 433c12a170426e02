import { describe, expect, it } from "@jest/globals";
import { createMaskFeeds, type DrawMasks, maskInput, seededMasks } from "../../../shared/src/engine/lora-dropout.ts";
import { TOY_LORA, TOY_TRAINING, toyFolder, toyOptions, toySamples, withModel } from "./toy-model.ts";

const ones = (size: number) => new Uint8Array(size).fill(1);
const hidden = (mask: Uint8Array) => mask.reduce((count, kept) => count + (kept ? 0 : 1), 0);

function drawn(draw: DrawMasks, step: number, sample: number, ...sizes: number[]): Uint8Array[] {
  const masks = sizes.map(ones);
  draw(step, sample, masks);
  return masks;
}

describe("the masks of LoRA dropout", () => {
  it.each([0.001, 0.05, 0.3, 0.5, 0.95])("hide elements with probability %d", (probability) => {
    const size = 200_000;
    const [mask] = drawn(seededMasks(probability, 1), 0, 0, size);
    const deviation = Math.sqrt(size * probability * (1 - probability));
    expect(Math.abs(hidden(mask) - size * probability)).toBeLessThan(4 * deviation);
  });

  it("hide elements independently: neighbours are hidden together as often as chance has it", () => {
    const size = 400_000;
    const probability = 0.2;
    const [mask] = drawn(seededMasks(probability, 2), 0, 0, size);
    for (const apart of [1, 2, 64]) {
      let together = 0;
      for (let at = apart; at < size; at++) if (!mask[at] && !mask[at - apart]) together++;
      const deviation = Math.sqrt(size * probability ** 2);
      expect(Math.abs(together - size * probability ** 2)).toBeLessThan(5 * deviation);
    }
  });

  it("are others for each layer, sample, step and seed, and the same for the same", () => {
    const draw = seededMasks(0.5, 7);
    const [first, second] = drawn(draw, 3, 4, 256, 256);
    expect(first).not.toEqual(second);
    expect(drawn(draw, 3, 5, 256)[0]).not.toEqual(first);
    expect(drawn(draw, 4, 4, 256)[0]).not.toEqual(first);
    expect(drawn(seededMasks(0.5, 8), 3, 4, 256)[0]).not.toEqual(first);
    expect(drawn(seededMasks(0.5, 7), 3, 4, 256, 256)).toEqual([first, second]);
  });

  it("lie where their sample lies in the micro-batch, and hide nothing of what is padded", () => {
    const linears = [
      { name: "a", in: 8, out: 1, bias: false, layout: "out-in" as const },
      { name: "b", in: 6, out: 1, bias: false, layout: "out-in" as const },
    ];
    const feeds = createMaskFeeds({ linears, masks: (seed) => seededMasks(0.5, seed) }, 9);
    const [shorter, longer] = [drawn(seededMasks(0.5, 9), 2, 11, 24, 18), drawn(seededMasks(0.5, 9), 2, 5, 40, 30)];
    feeds(1, [{ index: 1, tokens: 7 }], 7); // memory that was used before is clean
    const found = feeds(
      2,
      [
        { index: 11, tokens: 3 },
        { index: 5, tokens: 5 },
      ],
      5,
    );
    linears.forEach((linear, layer) => {
      const { data, shape } = found[maskInput(linear.name)];
      expect(shape).toEqual([10, linear.in]);
      expect([...data]).toEqual([...shorter[layer], ...ones(2 * linear.in), ...longer[layer]]);
    });
  });
});

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe("training with LoRA dropout", () => {
  const lora = { ...TOY_LORA, dropout: 0.4 };

  it("learns something else than without, and by the seed", async () => {
    const folder = toyFolder();
    const run = (dropout: number, seed: number) =>
      withModel({ folder, lora: { ...TOY_LORA, dropout } }, async (model) => {
        await model.train(toyOptions({ samples: toySamples(9), epochs: 4, seed }));
        return model.adapter();
      });
    expect(await run(0.4, 1)).toEqual(await run(0.4, 1));
    expect(await run(0.4, 1)).not.toEqual(await run(0.4, 2));
    expect(await run(0.4, 1)).not.toEqual(await run(0, 1));
    // one sample, so that the seed orders nothing
    expect(await run(0, 1)).toEqual(await run(0, 2));
  });

  it("shows adapters everything again where the model is scored, extracted or asked", async () => {
    const folder = toyFolder();
    const samples = toySamples(8, 6);
    const adapter = await withModel({ folder, lora }, async (model) => {
      await model.train(toyOptions({ samples, epochs: 3 }));
      return model.adapter();
    });
    const read = (dropout: number) =>
      withModel({ folder, adapter, lora: { ...TOY_LORA, dropout } }, async (model) => ({
        nats: await model.score(samples, 2),
        logits: await model.logits(samples[0].ids),
        known: await collect(model.extract(samples, 4, 2)),
      }));
    expect(await read(0.4)).toEqual(await read(0));
  });

  it("learns the same where blocks are computed a second time: they see what they saw the first time", async () => {
    const folder = toyFolder();
    const run = (activationCheckpointing: "off" | "on") =>
      withModel({ folder, lora }, async (model) => {
        await model.train(toyOptions({ training: { ...TOY_TRAINING, activationCheckpointing }, epochs: 3 }));
        return model.adapter();
      });
    expect(await run("on")).toEqual(await run("off"));
  });

  it("learns the same from one sample at a time as from the whole batch: masks belong to samples", async () => {
    const folder = toyFolder();
    const run = (microBatchSize: number) =>
      withModel({ folder, lora }, async (model) => {
        const training = { ...TOY_TRAINING, batchSize: 5, microBatchSize };
        return (await model.train(toyOptions({ training, epochs: 3 }))).lossByEpoch;
      });
    const whole = await run(5);
    (await run(1)).forEach((loss, epoch) => {
      expect(loss).toBeCloseTo(whole[epoch], 5);
    });
  });
});
