import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect } from "@jest/globals";
import type { SparseTarget } from "../../../shared/src/core/distillation/sparse-distillation-loss.ts";
import { KNOWLEDGE_MEANS, stepLoss } from "../../../shared/src/core/distillation/step-loss.ts";
import { readSafetensors } from "../../../shared/src/formats/safetensors.ts";
import type { SampleTarget, TrainOptions } from "../../../shared/src/ports/engine.ts";
import {
  distance,
  fixture,
  fixtures,
  optionsOf,
  readFixture,
  type TrainingCase,
  worstDifference,
} from "../../golden/engine/fixture.ts";
import { TOY_LORA, TOY_TRAINING, toyFolder, toyOptions, toySamples } from "../../unit/engine/toy-model.ts";
import { SAME_LOSS_NATS, TOLERANCE, type TrainerCheck, train, withModel } from "./check.ts";

interface RatedCase extends TrainingCase {
  /** the schedule's learning rate of each step */
  rates: number[];
}

/** Token and group targets, several partitions, none, λ, temperatures, schedules, clipping, micro-batches, 16-bit weights. */
const ofPeft = Object.entries(fixture.training as Record<string, RatedCase>).map(
  ([name, wanted]): TrainerCheck => ({
    title: `takes PyTorch's ten AdamW steps on PEFT's adapter: ${name}`,
    async run(engine) {
      const adapter = readFixture(`${name}.initial.safetensors`);
      const open = { folder: resolve(fixtures, wanted.folder), lora: { ...wanted.lora, dropout: 0 }, adapter };
      await withModel(engine, open, async (model) => {
        const losses: number[] = [];
        const rates: number[] = [];
        const { steps, lossByEpoch } = await model.train({
          ...optionsOf(wanted),
          onProgress({ loss, learningRate }) {
            losses.push(loss);
            rates.push(learningRate);
          },
        });
        expect(steps).toBe(wanted.losses.length);
        expect(distance(losses, wanted.losses)).toBeLessThan(TOLERANCE);
        expect(distance(lossByEpoch, wanted.losses)).toBeLessThan(TOLERANCE);
        expect(distance(rates, wanted.rates)).toBeLessThan(TOLERANCE);
        expect(worstDifference(await model.adapter(), readFixture(`${name}.final.safetensors`))).toBeLessThan(
          TOLERANCE,
        );
      });
    },
  }),
);

const NOTHING: SampleTarget = {
  positions: new Int32Array(0),
  offsets: Int32Array.of(0),
  entries: new Int32Array(0),
  probabilities: new Float32Array(0),
  tail: new Float32Array(0),
  partition: -1,
};

/** Of the first sample and the third: two positions of the prompt, one of the answer. */
const TAUGHT: SampleTarget = {
  positions: Int32Array.of(0, 1, 4),
  offsets: Int32Array.of(0, 2, 3, 5),
  entries: Int32Array.of(4, 2, 3, 0, 1),
  probabilities: Float32Array.of(0.5, 0.25, 0.75, 0.125, 0.625),
  tail: Float32Array.of(0.25, 0.25, 0.25),
  partition: -1,
};

function taughtAt(target: SampleTarget | null): Map<number, SparseTarget> {
  const found = new Map<number, SparseTarget>();
  target?.positions.forEach((position, at) => {
    const [begin, end] = [target.offsets[at], target.offsets[at + 1]];
    found.set(position, {
      entries: target.entries.subarray(begin, end),
      probabilities: target.probabilities.subarray(begin, end),
      tail: target.tail[at],
    });
  });
  return found;
}

export const TRAINING_CHECKS: TrainerCheck[] = [
  {
    title: "says the model's vocabulary, context and numbers of parameters",
    run: (engine) =>
      withModel(engine, {}, async (model) => {
        expect(model).toMatchObject({ vocabularySize: 29, contextTokens: 16 });
        expect(model.parameters).toBe(29 * 16 + 2 * (16 * 16 * 2 + 16 * 8 * 2 + 16 * 24 * 3 + 32) + 16);
        expect(model.trainableParameters).toBe(2 * (2 * (16 + 16) + 2 * (16 + 8)));
      }),
  },
  {
    title: "starts as the bare model, since a fresh adapter's B is zero",
    async run(engine) {
      const folder = toyFolder();
      const [{ ids }] = toySamples(6);
      const plain = await withModel(engine, { folder, lora: null }, (model) => model.logits(ids));
      const fresh = await withModel(engine, { folder }, (model) => model.logits(ids));
      expect(distance(fresh, plain)).toBeLessThan(TOLERANCE);
    },
  },
  {
    title: "hands out an adapter by PEFT's names in f32: A within ±1/√in, the same for the same seed, B zero",
    async run(engine) {
      const folder = toyFolder();
      const drawn = (seed: number) => withModel(engine, { folder, seed }, (model) => model.adapter());
      const first = await drawn(4);
      expect(await drawn(4)).toEqual(first);
      expect(await drawn(5)).not.toEqual(first);
      const { tensors } = readSafetensors(first, "the adapter");
      const layers = [0, 1].flatMap((layer) =>
        ["q_proj", "v_proj"].map((name) => `base_model.model.model.layers.${layer}.self_attn.${name}`),
      );
      const names = layers.flatMap((layer) => [`${layer}.lora_A.weight`, `${layer}.lora_B.weight`]);
      expect([...tensors.keys()].sort()).toEqual(names);
      for (const [name, { dtype, shape, data }] of tensors) {
        const isA = name.endsWith("lora_A.weight");
        expect(dtype).toBe("F32");
        expect(shape).toEqual(isA ? [2, 16] : [name.includes("q_proj") ? 16 : 8, 2]);
        const largest = Math.max(...Array.from(data as Float32Array, Math.abs));
        expect(largest).toBeLessThanOrEqual(isA ? 1 / 4 : 0);
        if (isA) expect(largest).toBeGreaterThan(1 / 8);
      }
    },
  },
  ...ofPeft,
  {
    title: "takes PyTorch's ten steps where all weights are trained",
    async run(engine) {
      const wanted = fixture.full as TrainingCase;
      const open = { folder: resolve(fixtures, wanted.folder), lora: null, trainable: "all" } as const;
      await withModel(engine, open, async (model) => {
        const { lossByEpoch } = await model.train(optionsOf(wanted));
        expect(distance(lossByEpoch, wanted.losses)).toBeLessThan(TOLERANCE);
        expect(worstDifference(await model.weights(), readFixture("full.final.safetensors"))).toBeLessThan(TOLERANCE);
      });
    },
  },
  {
    title: "learns, and goes on from the adapter that it handed out",
    async run(engine) {
      const folder = toyFolder();
      const samples = toySamples(8, 8, 8, 8);
      const training = { ...TOY_TRAINING, learningRate: 0.05 };
      const { adapter, after } = await withModel(engine, { folder }, async (model) => {
        const before = await model.score(samples, 4);
        await model.train(toyOptions({ samples, epochs: 20, training }));
        const scored = await model.score(samples, 4);
        expect(scored[0]).toBeLessThan(before[0] * 0.8);
        return { adapter: await model.adapter(), after: scored };
      });
      await withModel(engine, { folder, adapter }, async (model) => {
        expect(await model.score(samples, 4)).toEqual(after);
        expect(await model.adapter()).toEqual(adapter);
      });
    },
  },
  {
    title: "ends in the same bytes for the same input, and in others for another order of the samples",
    async run(engine) {
      const folder = toyFolder();
      const first = await train(engine, { folder }, toyOptions());
      expect(await train(engine, { folder }, toyOptions())).toEqual(first);
      const others = [4, 5, 6].map((seed) => train(engine, { folder }, toyOptions({ seed })));
      const adapters = (await Promise.all(others)).map(({ adapter }) => Buffer.from(adapter));
      expect(adapters.some((adapter) => !adapter.equals(first.adapter))).toBe(true);
    },
  },
  {
    title: "ends in the same bytes with dropout too, which changes what is learned",
    async run(engine) {
      const folder = toyFolder();
      const lora = { ...TOY_LORA, dropout: 0.5 };
      const first = await train(engine, { folder, lora }, toyOptions());
      expect(await train(engine, { folder, lora }, toyOptions())).toEqual(first);
      expect(await train(engine, { folder }, toyOptions())).not.toEqual(first);
    },
  },
  {
    title: "scores without dropout",
    async run(engine) {
      const folder = toyFolder();
      const { adapter } = await train(engine, { folder }, toyOptions());
      const score = (dropout: number) =>
        withModel(engine, { folder, adapter, lora: { ...TOY_LORA, dropout } }, (model) =>
          model.score(toySamples(6, 7), 2),
        );
      expect(await score(0.5)).toEqual(await score(0));
    },
  },
  {
    title: "tells of each step once, in order, the last batch of an epoch smaller",
    async run(engine) {
      const told: number[][] = [];
      await withModel(engine, {}, async (model) => {
        const { steps, lossByEpoch } = await model.train(
          toyOptions({
            onProgress({ step, steps, loss, learningRate, tokensPerSecond }) {
              told.push([step, steps]);
              expect(loss).toBeGreaterThan(0);
              expect(learningRate).toBe(TOY_TRAINING.learningRate);
              expect(tokensPerSecond).toBeGreaterThan(0);
            },
          }),
        );
        expect(steps).toBe(6);
        expect(lossByEpoch).toHaveLength(2);
      });
      expect(told).toEqual([1, 2, 3, 4, 5, 6].map((step) => [step, 6]));
    },
  },
  {
    title: "learns the same from one sample at a time as from the whole batch",
    async run(engine) {
      const folder = toyFolder();
      const run = (microBatchSize: number) =>
        train(engine, { folder }, toyOptions({ training: { ...TOY_TRAINING, batchSize: 5, microBatchSize } }));
      const whole = await run(5);
      const [alone, pairs] = [await run(1), await run(2)];
      for (const { adapter, lossByEpoch } of [alone, pairs]) {
        expect(distance(lossByEpoch, whole.lossByEpoch)).toBeLessThan(TOLERANCE);
        expect(worstDifference(adapter, whole.adapter)).toBeLessThan(TOLERANCE);
      }
    },
  },
  {
    title: "takes λ·CE alone in a step without an aligned position",
    async run(engine) {
      const folder = toyFolder();
      const firstLoss = async (lambda: number, targets?: (SampleTarget | null)[]) => {
        const losses: number[] = [];
        const options: TrainOptions = toyOptions({ lambda, epochs: 1, onProgress: ({ loss }) => losses.push(loss) });
        await withModel(engine, { folder }, (model) => model.train(targets ? { ...options, targets } : options));
        return losses[0];
      };
      const halved = await firstLoss(0.25, [NOTHING, null, NOTHING, null, null]);
      expect(Math.abs(halved - 0.25 * (await firstLoss(1)))).toBeLessThan(SAME_LOSS_NATS);
    },
  },
  {
    title: "divides a step's KD by its aligned positions, or by all of its answer tokens",
    async run(engine) {
      const folder = toyFolder();
      const samples = toySamples(7, 5, 6);
      const targets = [TAUGHT, null, null];
      for (const knowledgeMean of [undefined, "taught", "all"] as const) {
        const losses: number[] = [];
        const logits = await withModel(engine, { folder }, async (model) => {
          const rows: Float32Array[] = [];
          for (const { ids } of samples) rows.push(await model.logits(ids));
          const training = { ...TOY_TRAINING, batchSize: 3, microBatchSize: 2 };
          const onProgress: TrainOptions["onProgress"] = ({ loss }) => losses.push(loss);
          await model.train(
            toyOptions({ samples, targets, lambda: 0.4, epochs: 1, training, onProgress, knowledgeMean }),
          );
          return rows;
        });
        const step = samples.map(({ ids, answer }, index) => ({
          ids,
          answer,
          logits: Array.from(ids, (_, token) => logits[index].subarray(29 * token, 29 * (token + 1))),
          taught: taughtAt(targets[index]),
          groupOfToken: null,
        }));
        const means = KNOWLEDGE_MEANS.map((mean) => stepLoss(step, 0.4, 1, mean).loss);
        expect(Math.abs(means[0] - means[1])).toBeGreaterThan(100 * SAME_LOSS_NATS);
        expect(Math.abs(losses[0] - means[knowledgeMean === "all" ? 1 : 0])).toBeLessThan(SAME_LOSS_NATS);
      }
    },
  },
  {
    title: "lets the weights decay, and changes nothing else, at λ = 0 where nothing is taught",
    async run(engine) {
      const folder = toyFolder();
      const training = { ...TOY_TRAINING, schedule: "constant" as const, weightDecay: 0.5 };
      const fresh = await withModel(engine, { folder }, (model) => model.adapter());
      const options = toyOptions({ training, lambda: 0, targets: toyOptions({}).samples.map(() => null) });
      const { adapter, steps, lossByEpoch } = await train(engine, { folder }, options);
      expect(lossByEpoch.every((loss) => loss === 0)).toBe(true);
      const kept = (1 - training.learningRate * training.weightDecay) ** steps;
      const before = readSafetensors(fresh, "fresh").tensors;
      // B begins with zeros, which no distance can be measured by
      for (const [name, { data }] of readSafetensors(adapter, "trained").tensors) {
        const started = before.get(name)!.data as Float32Array;
        for (const [at, value] of (data as Float32Array).entries())
          expect(Math.abs(value - started[at] * kept)).toBeLessThan(1e-6);
      }
    },
  },
  {
    title: "learns from knowledge at a prompt's positions, whose labels weigh nothing",
    async run(engine) {
      const folder = toyFolder();
      const samples = toySamples(7, 5, 6).map((sample, index) => ({
        ...sample,
        answer: sample.answer.map((flag, token) => (token > index + 2 ? flag : 0)),
      }));
      const targets = [TAUGHT, null, { ...TAUGHT, partition: 0 }];
      const partitions = [Int32Array.from({ length: 29 }, (_, token) => token % 5)];
      const losses: number[] = [];
      const logits = await withModel(engine, { folder }, async (model) => {
        const rows: Float32Array[] = [];
        for (const { ids } of samples) rows.push(await model.logits(ids));
        await model.train(
          toyOptions({
            samples,
            targets,
            partitions,
            lambda: 0.4,
            epochs: 1,
            training: { ...TOY_TRAINING, batchSize: 3 },
            onProgress: ({ loss }) => losses.push(loss),
          }),
        );
        return rows;
      });
      const expected = stepLoss(
        samples.map(({ ids, answer }, index) => ({
          ids,
          answer,
          logits: Array.from(ids, (_, token) => logits[index].subarray(29 * token, 29 * (token + 1))),
          taught: taughtAt(targets[index]),
          groupOfToken: targets[index]?.partition === 0 ? partitions[0] : null,
        })),
        0.4,
        1,
      );
      expect(Math.abs(losses[0] - expected.loss)).toBeLessThan(SAME_LOSS_NATS);
    },
  },
  {
    title: "learns the same at λ = 0 whether a position is a prompt's or an answer's",
    async run(engine) {
      const folder = toyFolder();
      const answered = toySamples(7, 7);
      const prompted = answered.map((sample) => ({ ...sample, answer: sample.answer.map((_, token) => +(token > 5)) }));
      const everywhere: SampleTarget = {
        ...TAUGHT,
        positions: Int32Array.of(0, 1, 2, 3, 4, 5),
        offsets: Int32Array.of(0, 1, 1, 2, 3, 3, 5),
        tail: Float32Array.of(0.5, 1, 0.25, 0.75, 1, 0.25),
      };
      const learn = (samples: typeof answered) =>
        train(engine, { folder }, toyOptions({ samples, targets: [everywhere, everywhere], lambda: 0 }));
      expect(worstDifference((await learn(prompted)).adapter, (await learn(answered)).adapter)).toBeLessThan(TOLERANCE);
    },
  },
  {
    title: "hands out all weights in f32, which another model can be opened from",
    async run(engine) {
      const folder = toyFolder({ tie_word_embeddings: false });
      const samples = toySamples(8, 8, 8, 8);
      const { weights, after } = await withModel(engine, { folder, lora: null, trainable: "all" }, async (model) => {
        expect(model.trainableParameters).toBe(model.parameters);
        await model.train(toyOptions({ samples, epochs: 6 }));
        return { weights: await model.weights(), after: await model.score(samples, 4) };
      });
      writeFileSync(join(folder, "model.safetensors"), weights);
      const again = await withModel(engine, { folder, lora: null }, (model) => model.score(samples, 4));
      expect(distance(again, after)).toBeLessThan(TOLERANCE);
    },
  },
];
