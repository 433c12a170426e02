import { expect } from "@jest/globals";
import { TransientError } from "../../../shared/src/core/errors.ts";
import { readTrainingNote, readTrainingState, writeTrainingState } from "../../../shared/src/formats/training-state.ts";
import type {
  Engine,
  OpenModel,
  SampleTarget,
  TrainCheckpoint,
  TrainOptions,
} from "../../../shared/src/ports/engine.ts";
import { TOY_CONFIG, TOY_LORA, TOY_TRAINING, toyFolder, toyOptions, toySamples } from "../../unit/engine/toy-model.ts";
import { expectRefusal, type TrainerCheck, train } from "./check.ts";

/** Five samples in batches of two over two epochs: six steps, the last of each epoch smaller. */
const STEPS = 6;
const labelsOnly = () => toyOptions({ training: { ...TOY_TRAINING, schedule: "cosine", warmupRatio: 0.2 } });

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
const withKnowledge = (): TrainOptions => ({
  ...labelsOnly(),
  targets: [knowledgeOf([0, 2], -1), null, knowledgeOf([1], 0), knowledgeOf([0, 1, 2], 0), null],
  partitions: [Int32Array.from({ length: TOY_CONFIG.vocab_size }, (_, token) => token % 7)],
  lambda: 0.5,
  temperature: 2,
  training: { ...TOY_TRAINING, microBatchSize: 1 },
});

/** A machine that is taken away at a step. @returns what it had saved */
async function interruptAt(
  engine: Engine,
  open: Partial<OpenModel>,
  options: TrainOptions,
  at: number,
  resume: Uint8Array | null = null,
): Promise<Uint8Array> {
  let saved: Uint8Array | null = null;
  const stopped = train(engine, open, options, {
    resume,
    note: "round 2",
    isDue: (step) => step === at,
    async save(state) {
      saved = state;
      throw new TransientError("WORKER_STOPPED", "the machine was taken away");
    },
  });
  await expect(stopped).rejects.toMatchObject({ name: "TransientError", code: "WORKER_STOPPED" });
  return saved!;
}

const resumed = (resume: Uint8Array): TrainCheckpoint => ({
  resume,
  note: "",
  isDue: () => false,
  save: () => Promise.reject(new Error("nothing was due")),
});

const kinds: [string, () => TrainOptions, OpenModel["lora"]][] = [
  ["labels", labelsOnly, TOY_LORA],
  ["knowledge", withKnowledge, TOY_LORA],
  ["knowledge with dropout", withKnowledge, { ...TOY_LORA, dropout: 0.4 }],
];

export const CHECKPOINT_CHECKS: TrainerCheck[] = [
  ...kinds.map(
    ([name, options, lora]): TrainerCheck => ({
      title: `trains on ${name} to the same bytes after an interruption at any step`,
      async run(engine) {
        const open = { folder: toyFolder(), lora };
        const whole = await train(engine, open, options());
        for (let step = 0; step <= STEPS; step++) {
          const again = await train(engine, open, options(), resumed(await interruptAt(engine, open, options(), step)));
          expect(again).toEqual({ ...whole, told: whole.told.slice(step) });
        }
      },
    }),
  ),
  {
    title: "trains to the same bytes after an interruption at every step",
    async run(engine) {
      const open = { folder: toyFolder() };
      const whole = await train(engine, open, withKnowledge());
      let state: Uint8Array | null = null;
      for (let step = 0; step <= STEPS; step++) state = await interruptAt(engine, open, withKnowledge(), step, state);
      expect(await train(engine, open, withKnowledge(), resumed(state!))).toEqual({ ...whole, told: [] });
    },
  },
  {
    title: "saves what is done with the note, and is not changed by it",
    async run(engine) {
      const open = { folder: toyFolder() };
      const steps: number[] = [];
      const saving = await train(engine, open, labelsOnly(), {
        resume: null,
        note: "round 2",
        isDue: () => true,
        async save(state) {
          expect(readTrainingNote(state, "state")).toBe("round 2");
          steps.push(readTrainingState(state, "state").step);
        },
      });
      expect(steps).toEqual([0, 1, 2, 3, 4, 5, 6]);
      expect(saving).toEqual(await train(engine, open, labelsOnly()));
    },
  },
  {
    title: "asks between the micro-batches of a step whether to save, and saves the step before",
    async run(engine) {
      const asked: number[] = [];
      const saved: number[] = [];
      await train(engine, {}, withKnowledge(), {
        resume: null,
        note: "",
        isDue: (step) => asked.push(step) === 2, // the first step's second micro-batch
        save: async (state) => void saved.push(readTrainingState(state, "state").step),
      });
      expect(saved).toEqual([0]);
      expect(asked.filter((step) => step === 0)).toHaveLength(2);
      expect(asked.at(-1)).toBe(STEPS);
      expect([...asked].sort((a, b) => a - b)).toEqual(asked);
    },
  },
  {
    title: "refuses the checkpoint of another training",
    async run(engine) {
      const folder = toyFolder();
      const options = withKnowledge();
      const state = await interruptAt(engine, { folder }, options, 2);
      const others: [TrainOptions, OpenModel["lora"]][] = [
        [{ ...options, seed: 4 }, TOY_LORA],
        [{ ...options, lambda: 0.25 }, TOY_LORA],
        [{ ...options, temperature: 1 }, TOY_LORA],
        [{ ...options, knowledgeMean: "all" }, TOY_LORA],
        [{ ...options, training: { ...options.training, learningRate: 0.02 } }, TOY_LORA],
        [{ ...options, samples: toySamples(5, 8, 6, 7, 5) }, TOY_LORA],
        [{ ...options, targets: options.targets!.with(2, null) }, TOY_LORA],
        [options, { ...TOY_LORA, rank: 1 }],
        [options, { ...TOY_LORA, alpha: 8 }],
        [options, { ...TOY_LORA, dropout: 0.1 }],
      ];
      for (const [other, lora] of others)
        await expectRefusal(() => train(engine, { folder, lora }, other, resumed(state)), "CHECKPOINT_FOREIGN");
    },
  },
  {
    title: "refuses a checkpoint that is cut off, or says what cannot be",
    async run(engine) {
      const folder = toyFolder();
      const state = await interruptAt(engine, { folder }, labelsOnly(), 4);
      const read = readTrainingState(state, "state");
      const broken = [
        ...[0, 7, 20, state.length >> 1, state.length - 1].map((length) => state.slice(0, length)),
        writeTrainingState({ ...read, step: STEPS + 1 }),
        writeTrainingState({ ...read, lossByEpoch: [] }),
        writeTrainingState({ ...read, values: read.values.with(3, Number.NaN) }),
        writeTrainingState({ ...read, variance: read.variance.with(0, -1) }),
      ];
      for (const bytes of broken)
        await expectRefusal(() => train(engine, { folder }, labelsOnly(), resumed(bytes)), "CHECKPOINT_INVALID");
    },
  },
];
