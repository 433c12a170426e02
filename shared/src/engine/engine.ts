import { checkGeneration } from "../core/check-generation.ts";
import { checkSamples, checkTargets } from "../core/check-model-input.ts";
import { InvariantError } from "../core/errors.ts";
import { answerPositions } from "../core/samples/answer-positions.ts";
import type {
  Device,
  EncodedSample,
  Engine,
  GeneratedToken,
  Model,
  SampleKnowledge,
  TrainCheckpoint,
  TrainOptions,
} from "../ports/engine.ts";
import { EngineThread } from "./engine-thread.ts";
import type { LanguageModel } from "./language-model.ts";
import type { ThreadQuestion, TrainRequest } from "./worker.ts";

/**
 * The engine on ONNX Runtime: each open model has a worker thread to itself. Threads are kept for the next model, since starting
 * one costs a quarter of a second, and ending many is where native code is least at ease.
 * @param device - on "cuda" a model that cannot be computed there is refused (`DEVICE_UNAVAILABLE`), never moved to the processor
 */
export function createEngine(device: Device = "cpu"): Engine {
  const threads = new Set<EngineThread>();
  const idle: EngineThread[] = [];
  return {
    async open(options) {
      const thread = idle.pop() ?? startThread();
      const release = async () => {
        await thread.close();
        if (threads.has(thread) && !idle.includes(thread)) idle.push(thread);
      };
      try {
        return modelIn(thread, await thread.open(options), release);
      } catch (error) {
        await release();
        throw error;
      }
    },
    async close() {
      const open = [...threads];
      threads.clear();
      idle.length = 0;
      await Promise.all(open.map((thread) => thread.end()));
    },
  };

  function startThread(): EngineThread {
    const thread = new EngineThread(device);
    threads.add(thread);
    void thread.exited.then(() => {
      threads.delete(thread);
      if (idle.includes(thread)) idle.splice(idle.indexOf(thread), 1);
    });
    return thread;
  }
}

function modelIn(
  thread: EngineThread,
  description: ReturnType<LanguageModel["describe"]>,
  release: () => Promise<void>,
): Model {
  let closed = false;
  let generations = 0;
  // the thread may hold another's model by then
  const ask: EngineThread["ask"] = async (...request) => {
    if (closed) throw new InvariantError("ENGINE_CLOSED", "the model has been closed");
    return thread.ask(...request);
  };
  return {
    ...description,
    async train({ onProgress, checkpoint, ...rest }: TrainOptions) {
      checkSamples(rest.samples, description);
      checkTargets(rest, description);
      const record = checkpoint ? { resume: checkpoint.resume, note: checkpoint.note } : null;
      return ask("train", [{ ...rest, record } satisfies TrainRequest], {
        onProgress,
        onQuestion: (question) => answerTraining(checkpoint!, question),
      });
    },
    async *extract(samples, topK, batchSize) {
      checkSamples(samples, description);
      const batches = batchesOf(samples, batchSize);
      const largest = largestBatch(batches);
      for (const batch of batches) yield* await ask<SampleKnowledge[]>("extract", [batch, topK, largest]);
    },
    async score(samples, batchSize) {
      checkSamples(samples, description);
      const nats = new Float64Array(samples.length);
      const batches = batchesOf(samples, batchSize);
      const largest = largestBatch(batches);
      for (const [index, batch] of batches.entries())
        nats.set(await ask<Float64Array>("score", [batch, largest]), index * batchSize);
      return nats;
    },
    async *generate(options) {
      checkGeneration(options, description);
      const generation = generations++;
      await ask("startGeneration", [generation, options]);
      try {
        while (true) {
          const tokens = await ask<GeneratedToken[]>("continueGeneration", [generation]);
          if (tokens.length === 0) return;
          yield* tokens;
        }
      } finally {
        // a thread that has ended keeps nothing
        await ask("endGeneration", [generation]).catch(() => {});
      }
    },
    async logits(ids) {
      checkSamples([{ ids, answer: new Uint8Array(ids.length) }], description);
      return ask("logits", [ids]);
    },
    adapter: () => ask("adapter"),
    weights: () => ask("weights"),
    close() {
      closed = true;
      return release();
    },
  };
}

function answerTraining(checkpoint: TrainCheckpoint, question: ThreadQuestion): boolean | Promise<void> {
  return question.about === "due" ? checkpoint.isDue(question.step) : checkpoint.save(question.state);
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
