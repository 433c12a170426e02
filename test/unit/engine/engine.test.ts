import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { createEngine } from "../../../shared/src/engine/engine.ts";
import { readSafetensors, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import type { SampleKnowledge, SampleTarget } from "../../../shared/src/ports/engine.ts";
import { TOY_CONFIG, TOY_LORA, TOY_TRAINING, toyFolder, toyOptions, toySamples, withModel } from "./toy-model.ts";

async function collect(stream: AsyncIterable<SampleKnowledge>): Promise<SampleKnowledge[]> {
  const all: SampleKnowledge[] = [];
  for await (const item of stream) all.push(item);
  return all;
}

describe("a model of the engine", () => {
  it("says its vocabulary, context and numbers of parameters", async () => {
    await withModel({}, async (model) => {
      expect(model).toMatchObject({ vocabularySize: 29, contextTokens: 16 });
      expect(model.parameters).toBe(29 * 16 + 2 * (16 * 16 * 2 + 16 * 8 * 2 + 16 * 24 * 3 + 32) + 16);
      expect(model.trainableParameters).toBe(2 * (2 * (16 + 16) + 2 * (16 + 8)));
    });
  });

  it("starts as the bare model, since a fresh adapter's B is zero", async () => {
    const folder = toyFolder();
    const ids = toySamples(6)[0].ids;
    const bare = await withModel({ folder, lora: null }, (model) => model.logits(ids));
    const fresh = await withModel({ folder }, (model) => model.logits(ids));
    expect([...fresh]).toEqual([...bare]);
  });

  it("draws A within ±1/√in, the same for the same seed and another for another", async () => {
    const folder = toyFolder();
    const drawn = (seed: number) => withModel({ folder, seed }, (model) => model.adapter());
    const first = await drawn(4);
    expect(await drawn(4)).toEqual(first);
    expect(await drawn(5)).not.toEqual(first);
    for (const [name, { data }] of readSafetensors(first, "adapter").tensors) {
      const largest = Math.max(...Array.from(data as Float32Array, Math.abs));
      if (name.endsWith("lora_A.weight")) expect(largest).toBeLessThanOrEqual(1 / 4);
      if (name.endsWith("lora_A.weight")) expect(largest).toBeGreaterThan(1 / 8);
      if (name.endsWith("lora_B.weight")) expect(largest).toBe(0);
    }
  });

  it("learns: the loss of what it trains on falls, and the adapter that it hands out goes on where it was", async () => {
    const folder = toyFolder();
    const samples = toySamples(8, 8, 8, 8);
    const training = { ...TOY_TRAINING, learningRate: 0.05 };
    const trained = await withModel({ folder }, async (model) => {
      const before = await model.score(samples, 4);
      const { lossByEpoch, steps } = await model.train(toyOptions({ samples, epochs: 20, training }));
      const after = await model.score(samples, 4);
      expect(steps).toBe(40);
      expect(lossByEpoch).toHaveLength(20);
      expect(after[0]).toBeLessThan(before[0] * 0.8);
      return { adapter: await model.adapter(), after };
    });
    const again = await withModel({ folder, adapter: trained.adapter }, (model) => model.score(samples, 4));
    expect(again).toEqual(trained.after);
  });

  it("ends in the same bytes for the same input", async () => {
    const folder = toyFolder();
    const run = () =>
      withModel({ folder }, async (model) => {
        await model.train(toyOptions());
        return model.adapter();
      });
    expect(await run()).toEqual(await run());
  });

  it("ends in the same bytes with two threads too", async () => {
    const folder = toyFolder();
    const run = () =>
      withModel({ folder, threads: 2 }, async (model) => {
        await model.train(toyOptions());
        return model.adapter();
      });
    expect(await run()).toEqual(await run());
  });

  it("takes the last, smaller batch of an epoch too, and shuffles by the seed", async () => {
    const folder = toyFolder();
    const run = (seed: number) =>
      withModel({ folder }, async (model) => {
        const { steps } = await model.train(toyOptions({ seed }));
        expect(steps).toBe(6);
        return model.adapter();
      });
    expect(await run(1)).not.toEqual(await run(2));
  });

  it("learns the same from one sample at a time as from the whole batch", async () => {
    const folder = toyFolder();
    const run = (microBatchSize: number) =>
      withModel({ folder }, async (model) => {
        await model.train(toyOptions({ training: { ...TOY_TRAINING, batchSize: 5, microBatchSize } }));
        return readSafetensors(await model.adapter(), "adapter").tensors;
      });
    const whole = await run(5);
    for (const [name, { data }] of await run(1))
      (data as Float32Array).forEach((value, at) => {
        expect(value).toBeCloseTo((whole.get(name)!.data as Float32Array)[at], 4);
      });
  });

  it("takes λ·CE alone in a step without an aligned position", async () => {
    const folder = toyFolder();
    const run = (lambda: number, targets?: (SampleTarget | null)[]) =>
      withModel({ folder }, async (model) => {
        const losses: number[] = [];
        const options = toyOptions({ lambda, epochs: 1, onProgress: ({ loss }) => losses.push(loss) });
        await model.train(targets ? { ...options, targets } : options);
        return losses[0];
      });
    const nothing = { positions: [], offsets: [0], entries: [], probabilities: [], tail: [] };
    const empty: SampleTarget = {
      positions: Int32Array.from(nothing.positions),
      offsets: Int32Array.from(nothing.offsets),
      entries: Int32Array.from(nothing.entries),
      probabilities: Float32Array.from(nothing.probabilities),
      tail: Float32Array.from(nothing.tail),
      partition: -1,
    };
    expect(await run(0.25, [empty, null, empty, null, null])).toBeCloseTo(0.25 * (await run(1)), 6);
  });

  it("leaves the event loop free while it trains", async () => {
    await withModel({}, async (model) => {
      let beats = 0;
      const heart = setInterval(() => beats++, 1);
      await model.train(toyOptions({ epochs: 30 }));
      clearInterval(heart);
      expect(beats).toBeGreaterThan(5);
    });
  });

  it("extracts in the order of the samples, whatever the batch", async () => {
    const samples = toySamples(5, 12, 3, 8, 6);
    await withModel({}, async (model) => {
      const together = await collect(model.extract(samples, 4, 5));
      const alone = await collect(model.extract(samples, 4, 1));
      const nats = await model.score(samples, 2);
      together.forEach((known, index) => {
        expect(known.positions).toEqual(alone[index].positions);
        expect(known.topIds).toEqual(alone[index].topIds);
        expect(known.lossNats).toBeCloseTo(alone[index].lossNats, 4);
        expect(nats[index]).toBeCloseTo(known.lossNats, 4);
      });
      expect([...together[1].positions]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    });
  });

  it("keeps no more than the vocabulary, and then all of the mass", async () => {
    await withModel({}, async (model) => {
      const [known] = await collect(model.extract(toySamples(4), 1000, 1));
      expect(known.topIds).toHaveLength(3 * TOY_CONFIG.vocab_size);
      const mass = known.topLogProbs.subarray(0, TOY_CONFIG.vocab_size).reduce((sum, log) => sum + Math.exp(log), 0);
      expect(mass).toBeCloseTo(1, 5);
    });
  });

  it("orders equal log-probabilities by the lower id", async () => {
    const folder = toyFolder();
    const path = join(folder, "model.safetensors");
    const { tensors } = readSafetensors(new Uint8Array(readFileSync(path)), path);
    const table = (tensors.get("model.embed_tokens.weight")!.data as Float32Array).slice();
    // every third token has the first one's row, so that their logits are equal
    for (let token = 3; token < TOY_CONFIG.vocab_size; token += 3) table.copyWithin(token * 16, 0, 16);
    const changed = Object.fromEntries(tensors);
    changed["model.embed_tokens.weight"] = { dtype: "F32", shape: [29, 16], data: table };
    writeFileSync(path, writeSafetensors(changed));
    await withModel({ folder }, async (model) => {
      const known = await collect(model.extract(toySamples(9), 12, 1));
      for (const { topIds, topLogProbs, positions } of known)
        for (let at = 0; at < positions.length * 12; at++) {
          if (at % 12 === 0) continue;
          expect(topLogProbs[at]).toBeLessThanOrEqual(topLogProbs[at - 1]);
          if (topLogProbs[at] === topLogProbs[at - 1]) expect(topIds[at]).toBeGreaterThan(topIds[at - 1]);
        }
    });
  });

  it("pays nothing for a sample without answer tokens", async () => {
    const [sample] = toySamples(5);
    sample.answer.fill(0);
    await withModel({}, async (model) => {
      expect([...(await model.score([sample], 1))]).toEqual([0]);
      const [known] = await collect(model.extract([sample], 3, 1));
      expect(known).toMatchObject({ lossNats: 0 });
      expect(known.positions).toHaveLength(0);
    });
  });

  it("reads a model whose weights are a link to another folder, as download caches have them", async () => {
    const folder = toyFolder();
    const linked = join(toyFolder(), "linked");
    mkdirSync(linked);
    for (const file of ["config.json", "model.safetensors"]) symlinkSync(join(folder, file), join(linked, file));
    const ids = toySamples(6)[0].ids;
    const direct = await withModel({ folder }, (model) => model.logits(ids));
    expect(await withModel({ folder: linked }, (model) => model.logits(ids))).toEqual(direct);
  });

  it("trains all weights where asked, and hands them out as a model that can be opened again", async () => {
    const folder = toyFolder({ tie_word_embeddings: false });
    const samples = toySamples(8, 8, 8, 8);
    const { weights, after } = await withModel({ folder, lora: null, trainable: "all" }, async (model) => {
      expect(model.trainableParameters).toBe(model.parameters);
      const { lossByEpoch } = await model.train(toyOptions({ samples, epochs: 12 }));
      expect(lossByEpoch.at(-1)!).toBeLessThan(lossByEpoch[0] * 0.9);
      return { weights: await model.weights(), after: await model.score(samples, 4) };
    });
    writeFileSync(join(folder, "model.safetensors"), weights);
    const again = await withModel({ folder }, (model) => model.score(samples, 4));
    again.forEach((nats, index) => {
      expect(nats).toBeCloseTo(after[index], 4);
    });
  });

  it("stops training when it is closed, and the engine closes all of its models", async () => {
    const engine = createEngine();
    const folder = toyFolder();
    const options = { folder, lora: TOY_LORA, adapter: null, seed: 1, threads: 1 };
    const model = await engine.open(options);
    const idle = await engine.open(options);
    let closed: Promise<void> | null = null;
    const onProgress = () => {
      closed ??= engine.close();
    };
    await expect(model.train(toyOptions({ epochs: 1e6, onProgress }))).rejects.toMatchObject({ code: "ENGINE_CLOSED" });
    await closed;
    await expect(idle.adapter()).rejects.toMatchObject({ code: "ENGINE_CLOSED" });
  });

  it("can be closed twice, and answers nothing afterwards", async () => {
    const model = await withModel({}, async (open) => open);
    await model.close();
    await expect(model.adapter()).rejects.toMatchObject({ code: "ENGINE_CLOSED" });
  });

  it("lets a process go on that waits for nothing but the engine's end", () => {
    const program = `
      import { createEngine } from ${JSON.stringify(new URL("../../../shared/src/engine/engine.ts", import.meta.url).href)};
      const engine = createEngine();
      const model = await engine.open(${JSON.stringify({ folder: toyFolder(), lora: null, adapter: null, seed: 1, threads: 1 })});
      await model.close();
      await engine.close();
      console.log("went on");`;
    const file = join(toyFolder(), "program.mjs");
    writeFileSync(file, program);
    const written = execFileSync(process.execPath, ["--no-warnings", file], { encoding: "utf8" });
    expect(written).toBe("went on\n");
  });
});
