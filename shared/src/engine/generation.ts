import { InvalidInputError } from "../core/errors.ts";
import { createTokenSampler, tokenLogProb } from "../core/numeric/token-sampler.ts";
import type { GeneratedToken, GenerateOptions } from "../ports/engine.ts";
import type { Architecture } from "./architectures/architecture.ts";
import { createKeyValueCache } from "./key-value-cache.ts";
import { positionalFeeds } from "./layers/positional.ts";
import type { GraphSession, HostTensor } from "./session.ts";

/** What generation needs of a model. */
export interface TextModel {
  readonly architecture: Architecture;
  /** where its weights lie, as errors name it */
  readonly folder: string;
  /** the trained values, as the graph is fed them */
  trainable(): Record<string, HostTensor>;
  /** of a graph that goes on with a text */
  session(): Promise<GraphSession>;
  /** Throws where generation is to stop; asked before each run. */
  checkGoingOn(): void;
}

/** A text that is being continued. */
export interface Generation {
  /** @returns the next token; null where the text has ended, and then always */
  next(): Promise<GeneratedToken | null>;
}

/** A prompt is read in parts of so many tokens: the scores of one part with all keys are what bounds memory. */
const TOKENS_AT_ONCE = 256;

/** @param options - checked by `checkGeneration` */
export function startGeneration(model: TextModel, options: GenerateOptions): Generation {
  const { architecture } = model;
  const { prompt, stop } = options;
  const cache = createKeyValueCache(architecture);
  const sample = createTokenSampler(options);
  let left = Math.min(options.maxTokens, architecture.contextTokens - prompt.length);
  let unread = prompt;
  return {
    async next() {
      if (left === 0) return null;
      const logits = await read();
      const id = sample(logits);
      if (stop.includes(id)) {
        left = 0;
        return null;
      }
      left--;
      unread = Int32Array.of(id);
      return { id, logProb: tokenLogProb(logits, id) };
    },
  };

  /** @returns the logits after the text's last token */
  async function read(): Promise<Float32Array> {
    const session = await model.session();
    let logits = new Float32Array(0);
    for (let begin = 0; begin < unread.length; begin += TOKENS_AT_ONCE) {
      const ids = unread.slice(begin, begin + TOKENS_AT_ONCE);
      model.checkGoingOn();
      cache.reserve(ids.length);
      const { tokens: first, slots } = cache;
      const results = await session.run({
        ids: { data: ids, shape: [1, ids.length] },
        rows: { data: Int32Array.of(ids.length - 1), shape: [1] },
        ...positionalFeeds(architecture.positional, architecture.attention, { tokens: ids.length, first, slots }),
        ...cache.feeds,
        ...model.trainable(),
      });
      cache.append(results, ids.length);
      logits = results.logits.data as Float32Array<ArrayBuffer>;
    }
    const bad = logits.find((logit) => !Number.isFinite(logit));
    if (bad !== undefined)
      throw new InvalidInputError(
        "MODEL_NOT_FINITE",
        `${model.folder}: expected finite logits, got ${bad}: are the weights broken?`,
      );
    return logits;
  }
}
