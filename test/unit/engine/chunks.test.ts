import { describe, expect, it } from "@jest/globals";
import { chunksFor, createPacker } from "../../../shared/src/engine/batch.ts";
import { openCheckpoint } from "../../../shared/src/engine/checkpoint.ts";
import { scoringGraph, trainingGraph } from "../../../shared/src/engine/graphs.ts";
import { freshLoraBank } from "../../../shared/src/engine/lora-bank.ts";
import { createSession, type GraphSession } from "../../../shared/src/engine/session.ts";
import { createStep } from "../../../shared/src/engine/training.ts";
import { TOY_LORA, toyFolder, toyOptions, toySamples } from "./toy-model.ts";

const checkpoint = openCheckpoint(toyFolder());
const bank = freshLoraBank(checkpoint.architecture, TOY_LORA, 1);
const parts = { checkpoint, bank, lora: TOY_LORA };
const pack = createPacker(checkpoint.architecture);
/** 17 positions: neither 2 nor 4 parts are even, so rows are padded. */
const samples = toySamples(5, 8, 7);

describe("a head that is computed in chunks", () => {
  it("comes in one where the logits are small, and in a power of two where they are not", () => {
    expect(chunksFor(1000, 512)).toBe(1);
    expect(chunksFor(1024, 16384)).toBe(1);
    expect(chunksFor(1025, 16384)).toBe(2);
    expect(chunksFor(1000, 150_000)).toBe(16);
  });

  it.each([2, 4])("scores the same in %d parts", async (chunks) => {
    const score = async (count: number) => {
      const session = await createSession(scoringGraph(parts, 5, count), checkpoint.folder, 1);
      const { feeds, labels, padded, positions } = pack(samples, count);
      const results = await session.run({
        ...feeds,
        labels: { data: labels, shape: [padded] },
        trainable: { data: bank.values, shape: [bank.values.length] },
      });
      await session.close();
      return {
        nats: [...results.labelLogProbs.data.subarray(0, positions)],
        ids: [...results.topIds.data.subarray(0, positions * 5)],
      };
    };
    const whole = await score(1);
    const parted = await score(chunks);
    expect(parted.ids).toEqual(whole.ids);
    whole.nats.forEach((nats, at) => {
      expect(parted.nats[at]).toBeCloseTo(nats, 5);
    });
  });

  it.each([2, 4])("trains the same in %d parts", async (chunks) => {
    const knowledge = {
      positions: Int32Array.of(1, 3),
      offsets: Int32Array.of(0, 2, 3),
      entries: Int32Array.of(0, 2, 1),
      probabilities: Float32Array.of(0.4, 0.4, 0.9),
      tail: Float32Array.of(0.2, 0.1),
    };
    const targets = [null, { ...knowledge, partition: 0 }, { ...knowledge, partition: -1 }];
    const partitions = [Int32Array.from({ length: 29 }, (_, token) => token % 5)];
    const options = toyOptions({ samples, targets, partitions, lambda: 0.4 });
    const gradient = async (count: number) => {
      const sessions: GraphSession[] = [];
      const step = await createStep(
        {
          vocabularySize: 29,
          values: bank.values,
          entries: bank.entries,
          lora: TOY_LORA,
          dropout: null,
          checkGoingOn: () => {},
          pack: (chosen) => pack(chosen, count),
          session: async (loss) => {
            const session = await createSession(
              trainingGraph(parts, { ...loss, chunks: count, checkpointing: false }),
              checkpoint.folder,
              1,
            );
            sessions.push(session);
            return session;
          },
        },
        options,
      );
      const result = await step([0, 1, 2], 0);
      for (const session of sessions) await session.close();
      return result;
    };
    const whole = await gradient(1);
    const parted = await gradient(chunks);
    expect(parted.loss).toBeCloseTo(whole.loss, 5);
    whole.gradient.forEach((slope, at) => {
      expect(parted.gradient[at]).toBeCloseTo(slope, 5);
    });
  });
});
