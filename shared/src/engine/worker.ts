import { parentPort, workerData } from "node:worker_threads";
import { invariant } from "../core/errors.ts";
import type { Device, GenerationState, OpenModel } from "../ports/engine.ts";
import type { TextRequest } from "./continued-text.ts";
import type { TextNews } from "./generation-scheduler.ts";
import { LanguageModel } from "./language-model.ts";
import type { Placement } from "./node-placement.ts";
import { packError, type ThreadError, unpackError } from "./thread-error.ts";
import type { TrainInput } from "./trainee.ts";

/** What an engine's thread is started with. */
export interface ThreadData {
  /** [1] 1 where what is under way is to stop: its model is to be closed, or nobody wants it any more */
  stop: Int32Array;
  device: Device;
}

/** What an engine's thread can be asked; one request at a time. `open` before the others, `close` after them, `end` at last. */
export interface ThreadRequest {
  method:
    | "open"
    | "end"
    | "train"
    | "extract"
    | "score"
    | "logits"
    | "adapter"
    | "weights"
    | "close"
    | "loadAdapter"
    | "unloadAdapter";
  arguments: unknown[];
}

/** What an engine's thread is told about texts that are generated. It does not answer: tokens come as they come. */
export type TextMessage =
  | { kind: "start text"; text: number; request: TextRequest; adapter: number | "own" | null }
  | { kind: "cancel text"; text: number };

/** What the thread asks while it works on a request, which waits until the answer is there. */
export type ThreadQuestion = { about: "due"; step: number } | { about: "save"; state: Uint8Array };

/** The answer to a question. */
export type ThreadAnswer = { kind: "answer"; answer: unknown } | { kind: "failure"; error: ThreadError };

export type ThreadReply =
  | { kind: "result"; result: unknown }
  | { kind: "progress"; progress: unknown }
  | { kind: "question"; question: ThreadQuestion }
  | { kind: "texts"; news: readonly TextNews[]; state: GenerationState }
  | { kind: "placement"; graph: string; placement: Placement }
  | { kind: "error"; error: ThreadError };

/** A training request: with a record it is written down, by questions. */
export interface TrainRequest extends TrainInput {
  record: { resume: Uint8Array | null; note: string } | null;
}

const port = parentPort!;
const { stop, device } = workerData as ThreadData;
const isStopped = () => Atomics.load(stop, 0) === 1;
const reply = (message: ThreadReply, transferred: ArrayBuffer[] = []) => port.postMessage(message, transferred);

let model: LanguageModel | null = null;
let asked: { resolve: (answer: unknown) => void; reject: (error: Error) => void } | null = null;

function ask(question: ThreadQuestion, transferred: ArrayBuffer[] = []): Promise<unknown> {
  return new Promise((resolve, reject) => {
    asked = { resolve, reject };
    reply({ kind: "question", question }, transferred);
  });
}

let turn: Promise<unknown> = Promise.resolve();
let isGenerating = false;

/** One thing at a time: requests come between two runs of generation. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const done = turn.then(work);
  turn = done.catch(() => {});
  return done;
}

async function generate(): Promise<void> {
  if (isGenerating) return;
  isGenerating = true;
  while (model?.texts.hasTexts) {
    await inTurn(async () => model?.texts.step());
    const news = model?.texts.takeNews();
    if (news) tellOfTexts(news);
  }
  isGenerating = false;
  tellOfTexts([]);
}

function tellOfTexts(news: readonly TextNews[]): void {
  if (model) reply({ kind: "texts", news, state: model.texts.state });
}

function takeTextMessage(message: TextMessage): void {
  if (!model) return;
  if (message.kind === "cancel text") {
    model.texts.cancel(message.text);
    tellOfTexts([]);
    return;
  }
  const { text, request, adapter } = message;
  try {
    model.startText(text, request, adapter);
  } catch (error) {
    tellOfTexts([{ id: text, tokens: [], end: packError(error) }]);
    return;
  }
  void generate();
}

port.on("message", async (request: ThreadRequest | ThreadAnswer | TextMessage) => {
  if ("kind" in request) {
    if (request.kind === "answer") asked?.resolve(request.answer);
    else if (request.kind === "failure") asked?.reject(unpackError(request.error));
    else takeTextMessage(request);
    return;
  }
  try {
    const result = await inTurn(() => answer(request));
    if (request.method === "unloadAdapter" || request.method === "train") tellOfTexts([]);
    reply({ kind: "result", result });
  } catch (error) {
    reply({ kind: "error", error: packError(error) });
  }
});

async function answer(request: ThreadRequest): Promise<unknown> {
  if (request.method === "end") return port.close();
  if (request.method === "open") {
    model = new LanguageModel(request.arguments[0] as OpenModel, device, isStopped, (graph, placement) =>
      reply({ kind: "placement", graph, placement }),
    );
    return model.describe();
  }
  if (request.method === "close") {
    await model?.close();
    model = null;
    return;
  }
  invariant(model, "ENGINE_CLOSED", `${request.method} was asked of a thread without a model`);
  if (request.method === "train") {
    const [{ record, ...training }] = request.arguments as [TrainRequest];
    return model.train(
      training,
      (progress) => reply({ kind: "progress", progress }),
      record && {
        ...record,
        isDue: async (step) => (await ask({ about: "due", step })) === true,
        save: async (state) => void (await ask({ about: "save", state }, [state.buffer as ArrayBuffer])),
      },
    );
  }
  const method = model[request.method] as (...values: unknown[]) => unknown;
  return method.apply(model, request.arguments);
}
