import { checkGeneration } from "../core/check-generation.ts";
import type { ModelBounds } from "../core/check-model-input.ts";
import { InvalidInputError } from "../core/errors.ts";
import { quote } from "../formats/quote.ts";
import type { AdapterToLoad, GeneratedToken, GenerateOptions, GenerationState } from "../ports/engine.ts";
import type { EngineThread, TextListener } from "./engine-thread.ts";
import type { TextNews } from "./generation-scheduler.ts";
import { unpackError } from "./thread-error.ts";

/** A text as it has come so far. */
interface Text {
  readonly adapter: NamedAdapter | null;
  /** that have not been given out */
  readonly tokens: GeneratedToken[];
  end: TextNews["end"];
  /** what ends it at once, whatever has come */
  lost: Error | null;
  wake(): void;
}

/** An adapter that is loaded. */
interface NamedAdapter {
  readonly number: number;
  /** texts of it that the thread has */
  texts: number;
  /** called when there are none */
  onIdle: (() => void) | null;
}

/** The caller's end of the texts that a model generates, and of the adapters that they use. */
export class GenerationClient implements TextListener {
  readonly #thread: EngineThread;
  readonly #bounds: ModelBounds;
  readonly #texts = new Map<number, Text>();
  readonly #adapters = new Map<string, NamedAdapter>();
  #numbers = 0;
  #state: GenerationState = { running: 0, waiting: 0, keptTokens: 0, prefixTokens: 0, reusedTokens: 0 };

  constructor(thread: EngineThread, bounds: ModelBounds) {
    this.#thread = thread;
    this.#bounds = bounds;
  }

  get state(): GenerationState {
    return this.#state;
  }

  async *generate({ adapter, signal, ...request }: GenerateOptions): AsyncGenerator<GeneratedToken> {
    checkGeneration(request, this.#bounds);
    const used = typeof adapter === "string" ? this.#adapterOf(adapter) : null;
    signal?.throwIfAborted();
    const id = this.#numbers++;
    let news = Promise.withResolvers<void>();
    const text: Text = { adapter: used, tokens: [], end: null, lost: null, wake: () => news.resolve() };
    this.#texts.set(id, text);
    if (used) used.texts++;
    const abort = () => {
      this.#cancel(id);
      text.wake();
    };
    signal?.addEventListener("abort", abort);
    // a view is sent with all that it is a view of
    const sent = { ...request, prompt: request.prompt.slice() };
    const which = used ? used.number : adapter === undefined ? "own" : null;
    try {
      this.#thread.tellOfTexts({ kind: "start text", text: id, request: sent, adapter: which }, this);
      for (;;) {
        signal?.throwIfAborted();
        if (text.lost) throw text.lost;
        const token = text.tokens.shift();
        if (token) yield token;
        else if (text.end === "ended") return;
        else if (text.end) throw unpackError(text.end);
        else {
          await news.promise;
          news = Promise.withResolvers();
        }
      }
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#cancel(id);
    }
  }

  /** @throws InvalidInputError `ADAPTER_INVALID` */
  async loadAdapter(name: string, adapter: AdapterToLoad): Promise<void> {
    if (this.#adapters.has(name))
      throw new InvalidInputError(
        "ADAPTER_INVALID",
        `adapter ${quote(name)}: expected a name that no loaded adapter has, got one that is taken`,
      );
    const number = this.#numbers++;
    const named: NamedAdapter = { number, texts: 0, onIdle: null };
    this.#adapters.set(name, named);
    try {
      await this.#thread.ask("loadAdapter", [number, name, adapter]);
    } catch (error) {
      if (this.#adapters.get(name) === named) this.#adapters.delete(name);
      throw error;
    }
  }

  async unloadAdapter(name: string): Promise<void> {
    const adapter = this.#adapters.get(name);
    if (!adapter) return;
    this.#adapters.delete(name);
    const idle = Promise.withResolvers<void>();
    adapter.onIdle = idle.resolve;
    if (adapter.texts === 0) idle.resolve();
    await idle.promise;
    await this.#thread.ask("unloadAdapter", [adapter.number]);
  }

  hear(news: readonly TextNews[], state: GenerationState): void {
    this.#state = state;
    for (const { id, tokens, end } of news) {
      const text = this.#texts.get(id);
      if (!text) continue;
      text.tokens.push(...tokens);
      text.end = end;
      if (end) this.#forget(id, text);
      text.wake();
    }
  }

  lose(error: Error): void {
    for (const [id, text] of this.#texts) {
      text.lost = error;
      this.#forget(id, text);
      text.wake();
    }
  }

  #adapterOf(name: string): NamedAdapter {
    const found = this.#adapters.get(name);
    if (!found)
      throw new InvalidInputError(
        "GENERATION_INVALID",
        `generation: adapter: expected one of ${quote([...this.#adapters.keys()])}, which are loaded, got ${quote(name)}`,
      );
    return found;
  }

  /** Lets the thread end a text, if it has it. */
  #cancel(id: number): void {
    const text = this.#texts.get(id);
    if (!text) return;
    this.#thread.tellOfTexts({ kind: "cancel text", text: id }, this);
    this.#forget(id, text);
  }

  #forget(id: number, { adapter }: Text): void {
    this.#texts.delete(id);
    if (adapter && --adapter.texts === 0) adapter.onIdle?.();
  }
}
