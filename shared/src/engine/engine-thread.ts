import { Worker } from "node:worker_threads";
import { InvariantError } from "../core/errors.ts";
import { programUrl } from "../core/program-url.ts";
import type { Device, GenerationState, OpenModel } from "../ports/engine.ts";
import type { TextNews } from "./generation-scheduler.ts";
import type { LanguageModel } from "./language-model.ts";
import type { Placement } from "./node-placement.ts";
import { packError, unpackError } from "./thread-error.ts";
import type { TextMessage, ThreadAnswer, ThreadData, ThreadQuestion, ThreadReply, ThreadRequest } from "./worker.ts";

/** Who hears of a request's progress and answers what the thread asks meanwhile. */
interface Listener {
  onProgress?: (progress: never) => void;
  onQuestion?: (question: ThreadQuestion) => unknown;
}

interface Waiting {
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
  listener: Listener;
  /** what hearing of its progress threw: it is given up, and ends in this */
  failed: { error: unknown } | null;
}

/** Who hears of the texts that the thread's model generates. */
export interface TextListener {
  hear(news: readonly TextNews[], state: GenerationState): void;
  /** The thread takes no more texts, and nothing more comes of those that it has. */
  lose(error: Error): void;
}

/** The caller's end of a thread that holds one model at a time. Requests are answered one after the other, in their order. */
export class EngineThread {
  readonly #worker: Worker;
  readonly #onPlacement: (graph: string, placement: Placement) => void;
  #last: Promise<unknown> = Promise.resolve();
  #waiting: Waiting | null = null;
  #ended: Error | null = null;
  #closed: Promise<void> = Promise.resolve();
  /** Resolves when the thread has ended. */
  readonly exited: Promise<void>;
  readonly #stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  #isClosing = false;
  #texts: TextListener | null = null;

  constructor(device: Device, onPlacement: (graph: string, placement: Placement) => void) {
    this.#onPlacement = onPlacement;
    this.#worker = new Worker(programUrl("engine-thread", "./worker.ts", import.meta.url), {
      workerData: { stop: this.#stop, device } satisfies ThreadData,
    });
    this.#worker.on("message", (reply: ThreadReply) => this.#receive(reply));
    this.#worker.on("error", (error: unknown) =>
      this.#end(new InvariantError("ENGINE_FAILED", `the engine's thread failed: ${error}`)),
    );
    this.exited = new Promise((resolve) => {
      this.#worker.on("exit", () => {
        this.#end(new InvariantError("ENGINE_CLOSED", "the engine's thread has ended"));
        resolve();
      });
    });
  }

  /** Opens a model in this thread, which holds none. @throws what opening throws */
  async open(options: OpenModel): Promise<ReturnType<LanguageModel["describe"]>> {
    this.#isClosing = false;
    Atomics.store(this.#stop, 0, 0);
    this.#worker.ref();
    return this.ask("open", [options]);
  }

  /** Tells of texts from now on; what comes of them goes to the listener. */
  tellOfTexts(message: TextMessage, listener: TextListener): void {
    this.#texts = listener;
    const failed =
      this.#ended ?? (this.#isClosing ? new InvariantError("ENGINE_CLOSED", "the model has been closed") : null);
    if (failed) listener.lose(failed);
    else this.#worker.postMessage(message);
  }

  /** @throws what the thread throws: the same class, code and message */
  ask<Result>(method: ThreadRequest["method"], values: unknown[] = [], listener: Listener = {}): Promise<Result> {
    const answer = this.#last.then(
      () =>
        new Promise<Result>((resolve, reject) => {
          if (this.#ended || (this.#isClosing && method !== "close" && method !== "end")) {
            reject(this.#ended ?? new InvariantError("ENGINE_CLOSED", "the model has been closed"));
            return;
          }
          this.#waiting = { resolve: resolve as (result: unknown) => void, reject, listener, failed: null };
          this.#worker.postMessage({ method, arguments: values } satisfies ThreadRequest);
        }),
    );
    this.#last = answer.catch(() => {});
    return answer;
  }

  /**
   * Lets nothing new begin, waits for what is under way (training stops early), and gives the model's memory back. The thread
   * stays, ready for another model, without keeping the process alive. Safe to call twice.
   */
  close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      Atomics.store(this.#stop, 0, 1);
      this.#loseTexts(new InvariantError("ENGINE_CLOSED", "the model was closed while it generated"));
      this.#closed = this.#last
        .then(() => (this.#ended ? undefined : this.ask<void>("close")))
        .finally(() => this.#worker.unref());
    }
    return this.#closed;
  }

  /** Ends the thread itself. */
  async end(): Promise<void> {
    await this.close().catch(() => {});
    this.#worker.ref(); // else a process with nothing else to do would end here, and not by its own will
    if (!this.#ended) await this.ask("end").catch(() => this.#worker.terminate());
    await this.exited;
  }

  #loseTexts(error: Error): void {
    this.#texts?.lose(error);
    this.#texts = null;
  }

  #receive(reply: ThreadReply): void {
    if (reply.kind === "texts") {
      this.#texts?.hear(reply.news, reply.state);
      return;
    }
    if (reply.kind === "placement") {
      this.#onPlacement(reply.graph, reply.placement);
      return;
    }
    const waiting = this.#waiting;
    if (!waiting) return;
    if (reply.kind === "progress") {
      this.#tell(waiting, reply.progress);
      return;
    }
    if (reply.kind === "question") {
      void this.#answer(waiting.listener, reply.question);
      return;
    }
    this.#waiting = null;
    if (waiting.failed) {
      if (!this.#isClosing) Atomics.store(this.#stop, 0, 0);
      waiting.reject(waiting.failed.error as Error);
    } else if (reply.kind === "result") waiting.resolve(reply.result);
    else waiting.reject(unpackError(reply.error));
  }

  #tell(waiting: Waiting, progress: unknown): void {
    if (waiting.failed) return;
    try {
      waiting.listener.onProgress?.(progress as never);
    } catch (error) {
      waiting.failed = { error };
      Atomics.store(this.#stop, 0, 1);
    }
  }

  async #answer(listener: Listener, question: ThreadQuestion): Promise<void> {
    let answer: ThreadAnswer;
    try {
      answer = { kind: "answer", answer: await listener.onQuestion?.(question) };
    } catch (error) {
      answer = { kind: "failure", error: packError(error) };
    }
    this.#worker.postMessage(answer);
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#loseTexts(this.#ended);
    this.#waiting?.reject(this.#ended);
    this.#waiting = null;
  }
}
