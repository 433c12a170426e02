import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CompletionChunk } from "../../shared/src/contracts/openai/completion.ts";
import { InvalidInputError, TransientError } from "../../shared/src/core/errors.ts";
import { sha256 } from "../../shared/src/formats/sha256.ts";
import type { Inference, InferenceRequest, ServedAdapter } from "../../shared/src/ports/inference.ts";

/**
 * An Inference whose answers say, chunk by chunk, what weights they were computed with. It notes when an adapter is used that is not
 * loaded, or unloaded while it is used: neither may ever happen.
 */
export class AdapterHolder implements Inference {
  /** the weights' hash by name */
  readonly loaded = new Map<string, string>();
  readonly mistakes: string[] = [];
  readonly loads: string[] = [];
  /** before an adapter is loaded */
  onLoad: (adapter: ServedAdapter) => Promise<void> = async () => {};
  isDown = false;
  readonly #used = new Map<string, number>();

  async describe() {
    return { id: "base", contextTokens: 512 };
  }

  async *answer(
    { body }: InferenceRequest,
    adapter: string | null,
    signal: AbortSignal,
  ): AsyncIterable<CompletionChunk> {
    const weights = () => (adapter === null ? "base" : (this.loaded.get(adapter) ?? null));
    if (weights() === null) {
      this.mistakes.push(`${adapter} was asked for, but is not loaded`);
      throw new TransientError("UPSTREAM_UNAVAILABLE", "lost");
    }
    this.#use(adapter, 1);
    try {
      for (let at = 0; at < 4 && !signal.aborted; at++) {
        await new Promise((resolve) => setImmediate(resolve));
        const choice = { index: 0, text: `${weights()} `, finish_reason: null, logprobs: null };
        yield { id: "1", object: "text_completion", created: 0, model: body.model, choices: [choice] };
      }
    } finally {
      this.#use(adapter, -1);
    }
  }

  async loadAdapter(adapter: ServedAdapter): Promise<void> {
    await this.onLoad(adapter);
    this.#refuseDown();
    if (this.loaded.has(adapter.name))
      throw new InvalidInputError("ADAPTER_INVALID", `${adapter.name} has already been loaded`);
    this.loaded.set(adapter.name, sha256(readFileSync(join(adapter.folder, "adapter_model.safetensors"))));
    this.loads.push(adapter.name);
  }

  async unloadAdapter(name: string): Promise<void> {
    this.#refuseDown();
    if ((this.#used.get(name) ?? 0) > 0) this.mistakes.push(`${name} was unloaded while it was used`);
    this.loaded.delete(name);
  }

  async loadedAdapters(): Promise<string[]> {
    this.#refuseDown();
    return [...this.loaded.keys()];
  }

  async close(): Promise<void> {}

  #refuseDown(): void {
    if (this.isDown) throw new TransientError("UPSTREAM_UNAVAILABLE", "the server behind does not answer");
  }

  #use(adapter: string | null, change: number): void {
    if (adapter !== null) this.#used.set(adapter, (this.#used.get(adapter) ?? 0) + change);
  }
}
