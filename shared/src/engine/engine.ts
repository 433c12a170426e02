import type { EncodedSample, Engine, Model, SampleKnowledge, TrainOptions } from "../ports/engine.ts";
import { answerPositions } from "./batch.ts";
import { checkSamples, checkTargets } from "./check-input.ts";
import { EngineThread } from "./engine-thread.ts";
import type { LanguageModel } from "./language-model.ts";

/** The engine on ONNX Runtime: each open model has a worker thread of its own. */
export function createEngine(): Engine {
  const threads = new Set<EngineThread>();
  return {
    async open(options) {
      const thread = new EngineThread(options);
      threads.add(thread);
      void thread.exited.then(() => threads.delete(thread));
      return open(thread);
    },
    async close() {
      await Promise.all(Array.from(threads, (thread) => thread.close()));
    },
  };
}

async function open(thread: EngineThread): Promise<Model> {
  let description: ReturnType<LanguageModel["describe"]>;
  try {
    description = await thread.ask("describe");
  } catch (error) {
    await thread.close();
    throw error;
  }
  return {
    ...description,
    async train({ onProgress, ...rest }: TrainOptions) {
      checkSamples(rest.samples, description);
      checkTargets(rest, description);
      return thread.ask("train", [rest], onProgress);
    },
    async *extract(samples, topK, batchSize) {
      checkSamples(samples, description);
      const batches = batchesOf(samples, batchSize);
      const largest = largestBatch(batches);
      for (const batch of batches) yield* await thread.ask<SampleKnowledge[]>("extract", [batch, topK, largest]);
    },
    async score(samples, batchSize) {
      checkSamples(samples, description);
      const nats = new Float64Array(samples.length);
      const batches = batchesOf(samples, batchSize);
      const largest = largestBatch(batches);
      for (const [index, batch] of batches.entries())
        nats.set(await thread.ask<Float64Array>("score", [batch, largest]), index * batchSize);
      return nats;
    },
    async logits(ids) {
      checkSamples([{ ids, answer: new Uint8Array(ids.length), answerBytes: 0 }], description);
      return thread.ask("logits", [ids]);
    },
    adapter: () => thread.ask("adapter"),
    weights: () => thread.ask("weights"),
    close: () => thread.close(),
  };
}

function batchesOf(samples: readonly EncodedSample[], batchSize: number): EncodedSample[][] {
  const batches: EncodedSample[][] = [];
  for (let begin = 0; begin < samples.length; begin += batchSize)
    batches.push(
      samples.slice(begin, begin + batchSize).map(({ ids, answer, answerBytes }) => ({ ids, answer, answerBytes })),
    );
  return batches;
}

/** @returns the most positions that any batch has */
function largestBatch(batches: readonly EncodedSample[][]): number {
  return batches.reduce(
    (most, batch) =>
      Math.max(
        most,
        batch.reduce((sum, sample) => sum + answerPositions(sample).length, 0),
      ),
    0,
  );
}
