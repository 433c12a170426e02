import { checkSamples, checkTargets } from "../core/check-model-input.ts";
import { InvariantError } from "../core/errors.ts";
import { answerPositions, tokensToRead } from "../core/samples/answer-positions.ts";
import type {
  Device,
  EncodedSample,
  Engine,
  Model,
  SampleKnowledge,
  TrainCheckpoint,
  TrainOptions,
} from "../ports/engine.ts";
import { batchesByLength, windowsByLength } from "./batches-by-length.ts";
import { EngineThread } from "./engine-thread.ts";
import { GenerationClient } from "./generation-client.ts";
import { generationLost } from "./generation-lost.ts";
import type { LanguageModel } from "./language-model.ts";
import type { Placement } from "./node-placement.ts";
import type { ThreadQuestion, TrainRequest } from "./worker.ts";

/**
 * The engine on ONNX Runtime: each open model has a worker thread to itself. Threads are kept for the next model, since starting
 * one costs a quarter of a second, and ending many is where native code is least at ease.
 * @param device - on "cuda" a model that cannot be computed there is refused (`DEVICE_UNAVAILABLE`), never moved to the processor
 * @param onPlacement - hears of each graph on a GPU which of its nodes ONNX Runtime computes on the processor all the same
 */
export function createEngine(
  device: Device = "cpu",
  onPlacement: (graph: string, placement: Placement) => void = () => {},
): Engine {
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
    const thread = new EngineThread(device, onPlacement);
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
  const texts = new GenerationClient(thread, description);
  // the thread may hold another's model by then
  const ask: EngineThread["ask"] = async (...request) => {
    if (closed) throw closedError();
    return thread.ask(...request);
  };
  return {
    ...description,
    async train({ onProgress, checkpoint, ...rest }: TrainOptions) {
      checkSamples(rest.samples, description);
      checkTargets(rest, description);
      texts.lose(generationLost());
      const record = checkpoint ? { resume: checkpoint.resume, note: checkpoint.note } : null;
      return ask("train", [{ ...rest, record } satisfies TrainRequest], {
        onProgress,
        onQuestion: (question) => answerTraining(checkpoint!, question),
      });
    },
    async *extract(samples, topK, batchSize) {
      checkSamples(samples, description);
      const windows = windowsByLength(lengthsOf(samples), batchSize);
      const largest = largestBatch(
        samples,
        windows.flatMap(({ batches }) => batches),
      );
      for (const { first, batches } of windows) {
        const found: SampleKnowledge[] = [];
        for (const batch of batches) {
          const known = await ask<SampleKnowledge[]>("extract", [chosenOf(samples, batch), topK, largest]);
          batch.forEach((index, at) => {
            found[index - first] = known[at];
          });
        }
        yield* found;
      }
    },
    async score(samples, batchSize) {
      checkSamples(samples, description);
      const nats = new Float64Array(samples.length);
      const batches = batchesByLength(lengthsOf(samples), batchSize);
      const largest = largestBatch(samples, batches);
      for (const batch of batches) {
        const scored = await ask<Float64Array>("score", [chosenOf(samples, batch), largest]);
        batch.forEach((index, at) => {
          nats[index] = scored[at];
        });
      }
      return nats;
    },
    async *generate(options) {
      if (closed) throw closedError();
      yield* texts.generate(options);
    },
    async loadAdapter(name, adapter) {
      if (closed) throw closedError();
      return texts.loadAdapter(name, adapter);
    },
    async unloadAdapter(name) {
      if (!closed) await texts.unloadAdapter(name);
    },
    generationState: () => texts.state,
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

const closedError = () => new InvariantError("ENGINE_CLOSED", "the model has been closed");

function answerTraining(checkpoint: TrainCheckpoint, question: ThreadQuestion): boolean | Promise<void> {
  return question.about === "due" ? checkpoint.isDue(question.step) : checkpoint.save(question.state);
}

function lengthsOf(samples: readonly EncodedSample[]): number[] {
  return samples.map(tokensToRead);
}

/** What of the samples the thread is sent. */
function chosenOf(samples: readonly EncodedSample[], indices: readonly number[]): EncodedSample[] {
  return indices.map((index) => {
    const { ids, answer, answerBytes } = samples[index];
    return { ids, answer, answerBytes };
  });
}

/** @returns the most positions that any batch has */
function largestBatch(samples: readonly EncodedSample[], batches: readonly number[][]): number {
  const positions = samples.map((sample) => answerPositions(sample).length);
  return batches.reduce(
    (most, batch) =>
      Math.max(
        most,
        batch.reduce((sum, index) => sum + positions[index], 0),
      ),
    0,
  );
}
