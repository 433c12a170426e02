import type { ChatChunk } from "../../../shared/src/contracts/openai/chat.ts";
import type { CompletionChunk } from "../../../shared/src/contracts/openai/completion.ts";
import type { Inference, InferenceChunk, InferenceRequest } from "../../../shared/src/ports/inference.ts";

/** What an answer does after each of its pieces; a test's hold on its pace. */
export type Script = (asked: InferenceRequest, adapter: string | null, signal: AbortSignal) => AsyncIterable<string>;

/** An inference that says what a script says, a chunk a piece, and remembers what became of every answer. */
export class ScriptedInference implements Inference {
  readonly asked: { request: InferenceRequest; adapter: string | null; signal: AbortSignal }[] = [];
  readonly loaded = new Map<string, string>();
  /** answers under way */
  running = 0;
  mostRunning = 0;
  closed = false;
  #script: Script;
  #count = 0;

  constructor(script: Script = sayWords) {
    this.#script = script;
  }

  script(script: Script): void {
    this.#script = script;
  }

  describe() {
    return Promise.resolve({ id: "base", contextTokens: 2048 });
  }

  async *answer(
    request: InferenceRequest,
    adapter: string | null,
    signal: AbortSignal,
  ): AsyncGenerator<InferenceChunk> {
    this.asked.push({ request, adapter, signal });
    this.running++;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    const write = request.kind === "chat" ? chatChunks : completionChunks;
    const chunk = write(`${request.kind === "chat" ? "chatcmpl" : "cmpl"}-${++this.#count}`, request.body.model);
    const answers = request.body.n ?? 1;
    let tokens = 0;
    try {
      for await (const piece of this.#script(request, adapter, signal)) {
        signal.throwIfAborted();
        for (let index = 0; index < answers; index++) {
          tokens++;
          yield chunk.piece(index, piece);
        }
      }
      for (let index = 0; index < answers; index++) yield chunk.end(index);
      yield chunk.usage({ prompt_tokens: 7, completion_tokens: tokens, total_tokens: 7 + tokens });
    } finally {
      this.running--;
    }
  }

  async loadAdapter({ name, folder }: { name: string; folder: string }): Promise<void> {
    this.loaded.set(name, folder);
  }

  async unloadAdapter(name: string): Promise<void> {
    this.loaded.delete(name);
  }

  async loadedAdapters(): Promise<string[]> {
    return [...this.loaded.keys()];
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** Three words, by whom. */
export async function* sayWords(_: InferenceRequest, adapter: string | null): AsyncGenerator<string> {
  yield* ["Once", " upon", ` a ${adapter ?? "time"}`];
}

/** One piece at once, then silence until the signal comes: an answer that only its client can end. */
export async function* sayAndWait(_: InferenceRequest, __: string | null, signal: AbortSignal): AsyncGenerator<string> {
  yield "Once";
  await new Promise((_, reject) => {
    signal.throwIfAborted();
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

const CREATED = 1_790_000_000;

function chatChunks(id: string, model: string) {
  const head = { id, object: "chat.completion.chunk", created: CREATED, model } as const;
  const begun = new Set<number>();
  return {
    piece: (index: number, content: string): ChatChunk => {
      const delta = begun.has(index) ? { content } : { role: "assistant", content };
      begun.add(index);
      return { ...head, choices: [{ index, delta, logprobs: null, finish_reason: null }] };
    },
    end: (index: number): ChatChunk => ({
      ...head,
      choices: [{ index, delta: {}, logprobs: null, finish_reason: "stop" }],
    }),
    usage: (usage: NonNullable<ChatChunk["usage"]>): ChatChunk => ({ ...head, choices: [], usage }),
  };
}

function completionChunks(id: string, model: string) {
  const head = { id, object: "text_completion", created: CREATED, model } as const;
  return {
    piece: (index: number, text: string): CompletionChunk => ({
      ...head,
      choices: [{ index, text, logprobs: null, finish_reason: null }],
    }),
    end: (index: number): CompletionChunk => ({
      ...head,
      choices: [{ index, text: "", logprobs: null, finish_reason: "length" }],
    }),
    usage: (usage: NonNullable<CompletionChunk["usage"]>): CompletionChunk => ({ ...head, choices: [], usage }),
  };
}
