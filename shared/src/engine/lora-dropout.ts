import { createRandom } from "../core/numeric/random.ts";
import type { LinearSpec } from "./layers/layer-context.ts";
import type { HostTensor } from "./session.ts";

/**
 * Draws one sample's masks in one step, one [tokens, in] for each adapted layer: 1 where the adapter sees the layer's input, 0
 * where it does not. They hold ones when they come.
 */
export type DrawMasks = (step: number, sample: number, masks: readonly Uint8Array[]) => void;

/** How training hides a part of the adapted layers' inputs from their adapters. */
export interface LoraDropout {
  /** the layers, in the order in which masks are drawn */
  readonly linears: readonly LinearSpec[];
  /** @param seed - the training's */
  masks(seed: number): DrawMasks;
}

/** The graph's input [rows, in] of a layer's mask. */
export function maskInput(linear: string): string {
  return `kept:${linear}`;
}

/**
 * Masks that are a function of seed, step and sample alone: the same whatever the micro-batches, and after an interruption.
 * Instead of a draw for each element there is one for each gap between two that are hidden: gaps are geometrically distributed.
 *
 * @param probability - of an element to be hidden
 */
export function seededMasks(probability: number, seed: number): DrawMasks {
  const gapScale = 1 / Math.log1p(-probability);
  return (step, sample, masks) => {
    const random = createRandom(`dropout ${seed} ${step} ${sample}`);
    const gap = () => Math.floor(Math.log(1 - random.next()) * gapScale);
    for (const mask of masks) for (let at = gap(); at < mask.length; at += gap() + 1) mask[at] = 0;
  };
}

/** Samples of one micro-batch: where they are among the training's samples, and how many tokens they have. */
interface MaskedSample {
  index: number;
  tokens: number;
}

/**
 * Makes the function that gives a micro-batch's masks as feeds. What is padded stays visible: nothing looks at it. The feeds'
 * memory is used again by the next call.
 */
export function createMaskFeeds(
  { linears, masks }: LoraDropout,
  seed: number,
): (step: number, samples: readonly MaskedSample[], longest: number) => Record<string, HostTensor> {
  const draw = masks(seed);
  const memory = linears.map(() => new Uint8Array(0));
  return (step, samples, longest) => {
    const rows = samples.length * longest;
    const feeds = linears.map((linear, layer) => {
      const size = rows * linear.in;
      if (memory[layer].length < size) memory[layer] = new Uint8Array(size);
      return memory[layer].subarray(0, size).fill(1);
    });
    samples.forEach(({ index, tokens }, place) => {
      const first = place * longest;
      draw(
        step,
        index,
        feeds.map((feed, layer) => feed.subarray(first * linears[layer].in, (first + tokens) * linears[layer].in)),
      );
    });
    return Object.fromEntries(
      linears.map((linear, layer) => [maskInput(linear.name), { data: feeds[layer], shape: [rows, linear.in] }]),
    );
  };
}
