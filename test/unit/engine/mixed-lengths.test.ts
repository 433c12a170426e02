import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { createPacker } from "../../../shared/src/engine/batch.ts";
import { batchesByLength, windowsByLength } from "../../../shared/src/engine/batches-by-length.ts";
import { openCheckpoint } from "../../../shared/src/engine/checkpoint.ts";
import { trainingGraph } from "../../../shared/src/engine/graphs.ts";
import { freshLoraBank, loraNames } from "../../../shared/src/engine/lora-bank.ts";
import { seededMasks } from "../../../shared/src/engine/lora-dropout.ts";
import { viewOf } from "../../../shared/src/engine/parameter-bank.ts";
import { createSession, type GraphSession } from "../../../shared/src/engine/session.ts";
import { createStep } from "../../../shared/src/engine/training.ts";
import type { EncodedSample, SampleKnowledge, SampleTarget } from "../../../shared/src/ports/engine.ts";
import { wave } from "./run-graph.ts";
import { TOY_LORA, TOY_TRAINING, toyFolder, toyOptions, toySamples, withModel } from "./toy-model.ts";

const TOLERANCE = 1e-6;
const folder = toyFolder();
const LENGTHS = [3, 15, 4, 14, 5, 13, 6, 12];

/** Ids of tokens that are fed, padding included. */
const padded = (batches: readonly number[][], lengths: readonly number[]) =>
  batches.reduce((sum, batch) => sum + batch.length * Math.max(...batch.map((index) => lengths[index])), 0);

function relative(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  for (let at = 0; at < expected.length; at++) {
    difference += (got[at] - expected[at]) ** 2;
    size += expected[at] ** 2;
  }
  return Math.sqrt(difference / size);
}

describe("batches of near lengths", () => {
  it("hold every sample once, the longest first, equal ones in their order", () => {
    expect(batchesByLength([3, 9, 5, 9, 4], 2)).toEqual([[1, 3], [2, 4], [0]]);
    expect(batchesByLength([], 2)).toEqual([]);
  });

  it("leave samples in their order where one batch holds them all", () => {
    expect(batchesByLength([3, 9, 5], 3)).toEqual([[0, 1, 2]]);
  });

  it("waste less on padding than batches in the samples' order", () => {
    const inOrder = [0, 2, 4, 6].map((begin) => [begin, begin + 1]);
    expect(padded(inOrder, LENGTHS)).toBe(2 * (15 + 14 + 13 + 12));
    expect(padded(batchesByLength(LENGTHS, 2), LENGTHS)).toBe(2 * (15 + 13 + 6 + 4));
  });

  it.each([
    [4, 64],
    [24, 48],
    [64, 64],
    [100, 100],
  ])("of %d samples are sorted within windows of %d, so that few results wait for others", (batchSize, size) => {
    const lengths = Array.from({ length: 1000 }, (_, index) => 1 + ((index * 37) % 101));
    const windows = windowsByLength(lengths, batchSize);
    expect(windows.flatMap(({ batches }) => batches.flat()).sort((a, b) => a - b)).toEqual([...lengths.keys()]);
    windows.forEach(({ first, batches }, window) => {
      expect(first).toBe(window * size);
      expect(batches.flat().every((index) => index >= first && index < first + size)).toBe(true);
      expect(batches.every((batch) => batch.length <= batchSize)).toBe(true);
    });
  });
});

/** Runs one step in this thread. @returns its loss and gradient, and the tokens that were fed to each run, padding included */
async function stepOf(
  samples: EncodedSample[],
  microBatchSize: number,
  targets?: (SampleTarget | null)[],
  dropout = 0,
) {
  const checkpoint = openCheckpoint(folder);
  const lora = { ...TOY_LORA, dropout };
  const bank = freshLoraBank(checkpoint.architecture, lora, 1);
  // B is zero in a fresh adapter, and then A has no gradient
  for (const entry of bank.entries)
    if (entry.name.includes("lora_B")) viewOf(bank, entry).set(wave(entry.length, entry.begin));
  const linears = checkpoint.architecture.linears.filter(({ name }) =>
    bank.entries.some((entry) => entry.name === loraNames(name).down),
  );
  const fed: number[] = [];
  const pack = createPacker(checkpoint.architecture);
  const sessions: GraphSession[] = [];
  const step = await createStep(
    {
      vocabularySize: checkpoint.architecture.vocabularySize,
      values: bank.values,
      entries: bank.entries,
      lora,
      dropout: dropout ? { linears, masks: (seed) => seededMasks(dropout, seed) } : null,
      checkGoingOn: () => {},
      pack: (chosen, chunks) => {
        const batch = pack(chosen, chunks);
        fed.push(batch.feeds.ids.data.length);
        return batch;
      },
      session: async (loss) => {
        const session = await createSession(
          trainingGraph({ checkpoint, bank, lora }, { ...loss, checkpointing: false }),
          folder,
          1,
        );
        sessions.push(session);
        return session;
      },
    },
    toyOptions({
      samples,
      training: { ...TOY_TRAINING, batchSize: samples.length, microBatchSize },
      ...(targets ? { targets, lambda: 0.5 } : {}),
    }),
  );
  const { loss, gradient } = await step([...samples.keys()], 0);
  for (const session of sessions) await session.close();
  return { loss, gradient, fed };
}

describe("a sample beside longer ones", () => {
  const samples = toySamples(...LENGTHS);
  const knowledge: SampleTarget = {
    positions: Int32Array.of(0, 1),
    offsets: Int32Array.of(0, 2, 3),
    entries: Int32Array.of(4, 9, 2),
    probabilities: Float32Array.of(0.5, 0.3, 0.9),
    tail: Float32Array.of(0.2, 0.1),
    partition: -1,
  };
  it.each([
    ["labels", undefined, 0],
    ["knowledge", [knowledge, null], 0],
    ["labels with dropout", undefined, 0.3],
  ])("gives the loss and gradient that it gives alone: %s", async (_, targets, dropout) => {
    const both = toySamples(6, 16);
    const alone = await stepOf(both, 1, targets, dropout);
    const beside = await stepOf(both, 2, targets, dropout);
    // the last token is predicted, not read
    expect(alone.fed).toEqual([15, 5]);
    expect(beside.fed).toEqual([2 * 15]);
    expect(relative([beside.loss], [alone.loss])).toBeLessThan(TOLERANCE);
    expect(relative(beside.gradient, alone.gradient)).toBeLessThan(TOLERANCE);
  });

  it("is read no further than its last answer needs", async () => {
    const [sample] = toySamples(12);
    const answer = Uint8Array.from(sample.answer, (flag, token) => (token < 5 ? flag : 0));
    const early = { ...sample, answer };
    const cut = { ids: sample.ids.slice(0, 5), answer: answer.slice(0, 5), answerBytes: sample.answerBytes };
    const [whole, short] = [await stepOf([early], 1), await stepOf([cut], 1)];
    expect(whole.fed).toEqual([4]);
    expect(whole).toEqual(short);
  });

  const fixtures = resolve(import.meta.dirname, "../../golden/fixtures/architectures");
  const architectures = readdirSync(fixtures).filter((name) => !name.endsWith("-whole"));

  it.each([["a toy", folder], ...architectures.map((name) => [name, resolve(fixtures, name)])])(
    "has the loss and the knowledge that it has alone: %s",
    async (_, path) => {
      await withModel({ folder: path, lora: null }, async (model) => {
        const samples = toySamples(...LENGTHS.map((length) => Math.min(length, model.contextTokens)));
        const extract = async (chosen: EncodedSample[], batchSize: number) => {
          const found: SampleKnowledge[] = [];
          for await (const known of model.extract(chosen, 5, batchSize)) found.push(known);
          return found;
        };
        const together = await extract(samples, 8);
        const sorted = await extract(samples, 3);
        const nats = await model.score(samples, 3);
        for (const [index, sample] of samples.entries()) {
          const [alone] = await extract([sample], 1);
          for (const known of [together[index], sorted[index]]) {
            expect(known.positions).toEqual(alone.positions);
            expect(known.topIds).toEqual(alone.topIds);
            expect(relative(known.topLogProbs, alone.topLogProbs)).toBeLessThan(TOLERANCE);
            expect(relative([known.lossNats], [alone.lossNats])).toBeLessThan(TOLERANCE);
          }
          expect(relative([nats[index]], [alone.lossNats])).toBeLessThan(TOLERANCE);
        }
      });
    },
  );

  it("shares a micro-batch with samples of near length, for less work and the same step", async () => {
    const whole = await stepOf(samples, 8);
    const parted = await stepOf(samples, 2);
    expect(whole.fed).toEqual([8 * 14]);
    expect(parted.fed).toEqual([28, 24, 10, 6]);
    expect(relative([parted.loss], [whole.loss])).toBeLessThan(TOLERANCE);
    expect(relative(parted.gradient, whole.gradient)).toBeLessThan(TOLERANCE);
  });
});

describe("masks of the lengths that occur", () => {
  it("are made once, and thrown away where they would take more than 32 MiB", () => {
    const pack = createPacker(openCheckpoint(folder).architecture);
    const maskOf = (tokens: number) => pack(toySamples(tokens), 1).feeds["mask:full"].data;
    const [short, long] = [maskOf(8), maskOf(1500)];
    expect(maskOf(1500)).toBe(long);
    expect(maskOf(8)).toBe(short);
    maskOf(1400); // with that of 1,500 tokens 33 MiB; that of 8 was used since
    expect(maskOf(8)).toBe(short);
    expect(maskOf(1500)).not.toBe(long);
  });
});
