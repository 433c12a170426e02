import type { Architecture } from "./architectures/architecture.ts";
import type { HostTensor } from "./session.ts";

/** What is kept of a text in generation, per block. */
export type Kept = "keys" | "values";

/** The graph's input with a block's keys or values of the text so far. */
export const keptName = (kind: Kept, layer: number) => `kept:${kind}:${layer}`;
/** The graph's output with those of the new tokens. */
export const newName = (kind: Kept, layer: number) => `new:${kind}:${layer}`;

/** Slots are added by a share of those there are, so that all copying costs a text's length alone; empty ones cost time. */
const SHARE_ADDED = 1 / 8;
const LEAST_ADDED = 64;

/** One text's keys and values in every block, in memory that grows with the text. */
export interface KeyValueCache {
  /** tokens whose keys and values are kept */
  readonly tokens: number;
  /** tokens that would fit without growing */
  readonly slots: number;
  /** the graph's inputs: [1, keyValueHeads, slots, headSize] each */
  readonly feeds: Readonly<Record<string, HostTensor>>;
  /** Makes room for so many tokens more. */
  reserve(more: number): void;
  /** Takes the new tokens' keys and values, for which there is room, from a run's results. */
  append(results: Readonly<Record<string, HostTensor>>, count: number): void;
}

export function createKeyValueCache({ blocks, attention, contextTokens }: Architecture): KeyValueCache {
  const { keyValueHeads, headSize } = attention;
  let tokens = 0;
  let slots = 0;
  let feeds: Record<string, HostTensor> = {};
  const eachLayer = (visit: (kept: string, fresh: string) => void) => {
    for (let layer = 0; layer < blocks; layer++)
      for (const kind of ["keys", "values"] as const) visit(keptName(kind, layer), newName(kind, layer));
  };
  // each head's tokens lie together, with room behind them
  const copy = (from: HostTensor, to: HostTensor, count: number, at: number) => {
    const [fromStride, toStride] = [from.shape[2] * headSize, to.shape[2] * headSize];
    for (let head = 0; head < keyValueHeads; head++)
      (to.data as Float32Array).set(
        (from.data as Float32Array).subarray(head * fromStride, head * fromStride + count * headSize),
        head * toStride + at * headSize,
      );
  };
  return {
    get tokens() {
      return tokens;
    },
    get slots() {
      return slots;
    },
    get feeds() {
      return feeds;
    },
    reserve(more) {
      if (tokens + more <= slots) return;
      const needed = tokens + more;
      const roomy = Math.max(needed, slots + Math.max(LEAST_ADDED, Math.ceil(slots * SHARE_ADDED)));
      slots = Math.min(roomy, Math.max(needed, contextTokens));
      const grown: Record<string, HostTensor> = {};
      eachLayer((kept) => {
        const shape = [1, keyValueHeads, slots, headSize];
        grown[kept] = { data: new Float32Array(keyValueHeads * slots * headSize), shape };
        if (tokens > 0) copy(feeds[kept], grown[kept], tokens, 0);
      });
      feeds = grown;
    },
    append(results, count) {
      eachLayer((kept, fresh) => copy(results[fresh], feeds[kept], count, tokens));
      tokens += count;
    },
  };
}
