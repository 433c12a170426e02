import { parentPort, workerData } from "node:worker_threads";
import { invariant } from "../core/errors.ts";
import type { OpenModel } from "../ports/engine.ts";
import { LanguageModel } from "./language-model.ts";
import { packError, type ThreadError } from "./thread-error.ts";

/** What an engine's thread is started with. */
export interface ThreadData {
  /** [1] 1 while the open model is to be closed */
  closing: Int32Array;
}

/** What an engine's thread can be asked; one request at a time. `open` before the others, `close` after them, `end` at last. */
export interface ThreadRequest {
  method: "open" | "end" | "train" | "extract" | "score" | "logits" | "adapter" | "weights" | "close";
  arguments: unknown[];
}

export type ThreadReply =
  | { kind: "result"; result: unknown }
  | { kind: "progress"; progress: unknown }
  | { kind: "error"; error: ThreadError };

const port = parentPort!;
const { closing } = workerData as ThreadData;
const isClosing = () => Atomics.load(closing, 0) === 1;
const reply = (message: ThreadReply) => port.postMessage(message);

let model: LanguageModel | null = null;

port.on("message", async (request: ThreadRequest) => {
  try {
    reply({ kind: "result", result: await answer(request) });
  } catch (error) {
    reply({ kind: "error", error: packError(error) });
  }
});

async function answer(request: ThreadRequest): Promise<unknown> {
  if (request.method === "end") return port.close();
  if (request.method === "open") {
    model = new LanguageModel(request.arguments[0] as OpenModel, isClosing);
    return model.describe();
  }
  if (request.method === "close") {
    await model?.close();
    model = null;
    return;
  }
  invariant(model, "ENGINE_CLOSED", `${request.method} was asked of a thread without a model`);
  if (request.method === "train") {
    const [training] = request.arguments as Parameters<LanguageModel["train"]>;
    return model.train(training, (progress) => reply({ kind: "progress", progress }));
  }
  const method = model[request.method] as (...values: unknown[]) => unknown;
  return method.apply(model, request.arguments);
}
