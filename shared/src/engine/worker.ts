import { parentPort, workerData } from "node:worker_threads";
import type { OpenModel } from "../ports/engine.ts";
import { LanguageModel } from "./language-model.ts";
import { packError, type ThreadError } from "./thread-error.ts";

/** What the engine's thread is started with. */
export interface ThreadData {
  options: OpenModel;
  /** [1] 1 once the model is to be closed */
  closing: Int32Array;
}

/** What the engine's thread can be asked; one request at a time. */
export interface ThreadRequest {
  method: "describe" | "train" | "extract" | "score" | "logits" | "adapter" | "weights" | "close";
  arguments: unknown[];
}

export type ThreadReply =
  | { kind: "result"; result: unknown }
  | { kind: "progress"; progress: unknown }
  | { kind: "error"; error: ThreadError };

const port = parentPort!;
const { options, closing } = workerData as ThreadData;
const isClosing = () => Atomics.load(closing, 0) === 1;
const reply = (message: ThreadReply) => port.postMessage(message);

let model: LanguageModel | null = null;

port.on("message", async (request: ThreadRequest) => {
  try {
    model ??= new LanguageModel(options, isClosing);
    if (request.method === "train") {
      const [training] = request.arguments as Parameters<LanguageModel["train"]>;
      reply({
        kind: "result",
        result: await model.train(training, (progress) => reply({ kind: "progress", progress })),
      });
      return;
    }
    const method = model[request.method] as (...values: unknown[]) => unknown;
    reply({ kind: "result", result: await method.apply(model, request.arguments) });
    if (request.method === "close") port.close();
  } catch (error) {
    reply({ kind: "error", error: packError(error) });
  }
});
