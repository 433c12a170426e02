import { describe, expect, it } from "@jest/globals";
import { TransientError } from "../../../shared/src/core/errors.ts";
import {
  readTrainingNote,
  readTrainingState,
  type TrainingState,
  writeTrainingState,
} from "../../../shared/src/formats/training-state.ts";
import type { SampleTarget, TrainCheckpoint, TrainOptions } from "../../../shared/src/ports/engine.ts";
import { TOY_LORA, TOY_TRAINING, toyFolder, toyOptions, toySamples, withModel } from "./toy-model.ts";

const folder = toyFolder();

/** Five samples in batches of two over three epochs: nine steps, the last of each epoch smaller. */
const labelsOnly = () => toyOptions({ epochs: 3, training: { ...TOY_TRAINING, schedule: "cosine", warmupRatio: 0.2 } });

function knowledgeOf(positions: number[], partition: number): SampleTarget {
  const entries = positions.flatMap(() => [1, 2]);
  return {
    positions: Int32Array.from(positions),
    offsets: Int32Array.from({ length: positions.length + 1 }, (_, at) => 2 * at),
    entries: Int32Array.from(entries),
    probabilities: Float32Array.from(entries, (_, at) => (at % 2 ? 0.3 : 0.5)),
    tail: Float32Array.from(positions, () => 0.2),
    partition,
  };
}

/** The same with knowledge of tokens, of groups, and none; each step in micro-batches of one. */
const withKnowledge = () => ({
  ...labelsOnly(),
  targets: [knowledgeOf([0, 2], -1), null, knowledgeOf([1], 0), knowledgeOf([0, 1, 3], 0), null],
  partitions: [Int32Array.from({ length: 29 }, (_, token) => token % 7)],
  lambda: 0.5,
  temperature: 2,
  training: { ...TOY_TRAINING, microBatchSize: 1 },
});

interface Ended {
  adapter: Uint8Array;
  result: { steps: number; lossByEpoch: number[] };
  /** steps that were trained, as progress told them */
  told: number[];
}

function trainWith(options: TrainOptions, checkpoint?: TrainCheckpoint, lora = TOY_LORA): Promise<Ended> {
  return withModel({ folder, lora }, async (model) => {
    const told: number[] = [];
    const result = await model.train({ ...options, checkpoint, onProgress: ({ step }) => told.push(step) });
    return { adapter: await model.adapter(), result, told };
  });
}

/** A machine that is taken away at a step: what it had saved. */
async function interruptAt(options: TrainOptions, step: number) {
  let saved: Uint8Array | null = null;
  const checkpoint: TrainCheckpoint = {
    resume: null,
    note: "",
    isDue: (done) => done === step,
    save: async (state) => {
      saved = state;
      throw new TransientError("WORKER_STOPPED", "the machine was taken away");
    },
  };
  const stopped = trainWith(options, checkpoint);
  await expect(stopped).rejects.toMatchObject({ name: "TransientError", code: "WORKER_STOPPED" });
  return saved!;
}

const resumed = (resume: Uint8Array): TrainCheckpoint => ({ resume, note: "", isDue: () => false, save: never });
const never = () => Promise.reject(new Error("nothing was due"));

/** A saved state, changed. */
function changed(bytes: Uint8Array, change: Partial<TrainingState>): Uint8Array {
  return writeTrainingState({ ...readTrainingState(bytes, "state"), ...change });
}

describe("a training's checkpoint", () => {
  it.each<[string, (options: TrainOptions) => TrainOptions]>([
    ["another seed", (options) => ({ ...options, seed: 4 })],
    ["another learning rate", (options) => ({ ...options, training: { ...options.training, learningRate: 0.02 } })],
    ["another λ", (options) => ({ ...options, lambda: 0.25 })],
    ["another temperature", (options) => ({ ...options, temperature: 1 })],
    ["more epochs", (options) => ({ ...options, epochs: 4 })],
    ["other samples", (options) => ({ ...options, samples: toySamples(5, 8, 6, 7, 5) })],
    [
      "other answers",
      (options) => ({
        ...options,
        samples: options.samples.map((sample, index) =>
          index === 4 ? { ...sample, answer: sample.answer.with(3, 0) } : sample,
        ),
      }),
    ],
    ["other knowledge", (options) => ({ ...options, targets: options.targets!.with(2, null) })],
    ["no knowledge", ({ targets: _, partitions: __, ...options }) => options],
    ["another partition", (options) => ({ ...options, partitions: [options.partitions![0].with(28, 1)] })],
  ])("of %s is refused", async (_, change) => {
    const state = await interruptAt(withKnowledge(), 2);
    await expect(trainWith(change(withKnowledge()), resumed(state))).rejects.toMatchObject({
      name: "InvalidInputError",
      code: "CHECKPOINT_FOREIGN",
    });
  });

  it.each([
    ["rank", { rank: 1 }],
    ["scale", { alpha: 8 }],
    ["dropout", { dropout: 0.1 }],
    ["layers", { targets: ["q_proj", "k_proj"] }],
  ])("of an adapter of another %s is refused", async (_, change) => {
    const state = await interruptAt(labelsOnly(), 2);
    const other = trainWith(labelsOnly(), resumed(state), { ...TOY_LORA, ...change });
    await expect(other).rejects.toMatchObject({ code: "CHECKPOINT_FOREIGN" });
  });

  it("is taken up whether activations are kept or computed again, since that changes no result", async () => {
    const whole = await trainWith(labelsOnly());
    const state = await interruptAt(labelsOnly(), 5);
    const { training } = labelsOnly();
    const options = { ...labelsOnly(), training: { ...training, activationCheckpointing: "auto" as const } };
    expect((await trainWith(options, resumed(state))).result).toEqual(whole.result);
  });

  it.each<[string, (state: TrainingState) => Partial<TrainingState>, RegExp]>([
    ["a step beyond the last", () => ({ step: 10 }), /expected at most step 9, got 10/],
    ["the losses of another step", () => ({ lossByEpoch: [] }), /the losses of 1 epochs at step 4, got 0/],
    [
      "fewer values",
      ({ values, mean, variance }) => ({ values: values.slice(1), mean: mean.slice(1), variance: variance.slice(1) }),
      /expected 224 values, got 223/,
    ],
    ["a moment too few", ({ mean }) => ({ mean: mean.slice(1) }), /mean: expected as many numbers/],
    ["NaN among the values", ({ values }) => ({ values: values.with(3, Number.NaN) }), /values: .* got NaN at 3/],
    ["an infinite loss", () => ({ lossByEpoch: [Number.POSITIVE_INFINITY] }), /loss_by_epoch: .* got Infinity/],
    ["a negative variance", ({ variance }) => ({ variance: variance.with(0, -1) }), /variance: .* got -1 at 0/],
    ["half an answer token", () => ({ epoch: { weightedLoss: 1, answers: 0.5 } }), /whole number of answer tokens/],
  ])("with %s is refused", async (_, change, message) => {
    const state = await interruptAt(labelsOnly(), 4);
    const broken = changed(state, change(readTrainingState(state, "state")));
    await expect(trainWith(labelsOnly(), resumed(broken))).rejects.toMatchObject({
      name: "InvalidInputError",
      code: "CHECKPOINT_INVALID",
      message: expect.stringMatching(message),
    });
  });

  it("that was cut off is refused wherever it was cut", async () => {
    const state = await interruptAt(labelsOnly(), 1);
    for (const length of [0, 7, 20, state.length >> 1, state.length - 1])
      await expect(trainWith(labelsOnly(), resumed(state.slice(0, length)))).rejects.toMatchObject({
        code: "CHECKPOINT_INVALID",
      });
  });

  it("with metadata that are none of ours is refused", () => {
    const note = "x".repeat(1024 * 1024 + 1);
    const state = {
      belongsTo: "0".repeat(64),
      step: 1,
      values: Float32Array.of(1),
      mean: Float32Array.of(1),
      variance: Float32Array.of(1),
      lossByEpoch: [],
      epoch: { weightedLoss: 1, answers: 1 },
      note: "",
    };
    const read = (change: Partial<TrainingState>) => () =>
      readTrainingState(writeTrainingState({ ...state, ...change }), "state");
    expect(read({})()).toEqual(state);
    expect(read({ note })).toThrow(/at most 1048576 characters/);
    expect(read({ belongsTo: "me" })).toThrow(/SHA-256/);
    expect(read({ step: 1.5 })).toThrow(/step: expected a whole number/);
    expect(() => readTrainingNote(writeTrainingState({ ...state, note }), "state")).toThrow(/at most/);
  });
});
