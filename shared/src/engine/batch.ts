import { answerPositions } from "../core/samples/answer-positions.ts";
import type { EncodedSample } from "../ports/engine.ts";
import type { Architecture } from "./architectures/architecture.ts";
import { positionalFeeds } from "./layers/positional.ts";
import type { HostTensor } from "./session.ts";

/** Samples as one run of a graph takes them. P positions of all samples together, without padding. */
export interface Batch {
  feeds: Record<string, HostTensor>;
  /** that are read of the longest sample: the others are padded */
  tokens: number;
  /** P */
  positions: number;
  /** [S] the positions of each sample, ascending */
  rows: readonly Int32Array[];
  /** [P] what each position predicts */
  labels: Int32Array;
  /** [P] 1 where that is an answer token */
  answers: Uint8Array;
  /** P with padding: a multiple of the graph's chunks */
  padded: number;
}

/** Masks and angles of sequence lengths that are kept: mostly the same ones occur. Those that were not used for longest go first. */
const KEPT_BYTES = 32 * 2 ** 20;

/** What of the samples is computed. */
export interface Packing {
  /** [S] the positions of each; the answers' unless given */
  rows?: readonly Int32Array[];
  /** whether all tokens are read; unless it is so, as many as the positions need */
  whole?: boolean;
}

export type Packer = (samples: readonly EncodedSample[], chunks: number, packing?: Packing) => Batch;

/** @returns how many tokens a causal model reads for these positions: what comes after the last tells it nothing more */
export function tokensReadFor(rows: Int32Array): number {
  return rows.length === 0 ? 0 : rows[rows.length - 1] + 1;
}

/** Packs samples, padded on the right to the longest; keeps what depends on the length alone. */
export function createPacker({ positional: spec, attention }: Architecture): Packer {
  const byLength = new Map<number, Record<string, HostTensor>>();
  let keptBytes = 0;
  const positional = (tokens: number): Record<string, HostTensor> => {
    const known = byLength.get(tokens);
    const feeds = known ?? positionalFeeds(spec, attention, tokens);
    byLength.delete(tokens);
    byLength.set(tokens, feeds);
    if (!known) keptBytes += bytesOf(feeds);
    for (const [length, others] of byLength) {
      if (keptBytes <= KEPT_BYTES || length === tokens) break;
      byLength.delete(length);
      keptBytes -= bytesOf(others);
    }
    return feeds;
  };
  return (samples, chunks, { rows: perSample = samples.map(answerPositions), whole = false } = {}) => {
    const read = (index: number) => (whole ? samples[index].ids.length : tokensReadFor(perSample[index]));
    const tokens = samples.reduce((most, _, index) => Math.max(most, read(index)), 1);
    const total = perSample.reduce((sum, { length }) => sum + length, 0);
    const padded = Math.ceil(total / chunks) * chunks;
    const ids = new Int32Array(samples.length * tokens);
    const rows = new Int32Array(padded);
    const labels = new Int32Array(padded);
    const answers = new Uint8Array(padded);
    let at = 0;
    samples.forEach((sample, index) => {
      ids.set(sample.ids.subarray(0, read(index)), index * tokens);
      for (const position of perSample[index]) {
        rows[at] = index * tokens + position;
        answers[at] = sample.answer[position + 1];
        labels[at++] = sample.ids[position + 1];
      }
    });
    return {
      feeds: {
        ids: { data: ids, shape: [samples.length, tokens] },
        rows: { data: rows, shape: [padded] },
        ...positional(tokens),
      },
      tokens,
      positions: total,
      rows: perSample,
      labels,
      answers,
      padded,
    };
  };
}

function bytesOf(feeds: Record<string, HostTensor>): number {
  return Object.values(feeds).reduce((sum, { data }) => sum + data.byteLength, 0);
}

/** Elements of [rows, V] that may exist at once: 64 MiB in f32, of which a loss holds a few. */
const CHUNK_ELEMENTS = 1 << 24;

/** @returns in how many parts a head's rows are taken so that none is too large: a power of two */
export function chunksFor(positions: number, vocabularySize: number): number {
  const least = (positions * vocabularySize) / CHUNK_ELEMENTS;
  return least <= 1 ? 1 : 2 ** Math.ceil(Math.log2(least));
}
