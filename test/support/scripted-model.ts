import type { GeneratedToken, GenerateOptions, Model } from "../../shared/src/ports/engine.ts";

/** A model that gives the tokens it is told to, and knows what it was asked. */
export interface ScriptedModel extends Model {
  /** what `generate` was called with, in order */
  asked: GenerateOptions[];
  /** how many texts are under way */
  running(): number;
}

/** @param script - the tokens of a text; null: nothing comes until the signal is aborted */
export function scriptedModel(
  script: (options: GenerateOptions) => Iterable<GeneratedToken | null>,
  contextTokens = 64,
): ScriptedModel {
  const asked: GenerateOptions[] = [];
  let running = 0;
  return {
    asked,
    contextTokens,
    running: () => running,
    async *generate(options: GenerateOptions) {
      asked.push(options);
      running++;
      try {
        let left = Math.min(options.maxTokens, contextTokens - options.prompt.length);
        for (const token of script(options)) {
          options.signal?.throwIfAborted();
          if (left-- === 0) return;
          if (token === null) await aborted(options.signal!);
          else if (options.stop.includes(token.id)) return;
          else yield token;
        }
      } finally {
        running--;
      }
    },
  } as unknown as ScriptedModel;
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}
