import type { Dimension } from "../graph/builder.ts";

export interface AttentionShape {
  heads: number;
  /** divides heads; each is shared by heads / keyValueHeads query heads in a row */
  keyValueHeads: number;
  headSize: number;
}

/** What a query may look at. */
export interface MaskSpec {
  /** how many tokens back, itself included; null: all of them */
  readonly window: number | null;
  /** [heads] ALiBi's slopes (Press et al., 2022): scores get slope × the key's position; null: none */
  readonly slopes: readonly number[] | null;
}

/** The size of the mask's first axis, given that of its second. */
export function queriesDimension({ heads, keyValueHeads }: AttentionShape): Dimension {
  return heads === keyValueHeads ? "tokens" : "queries";
}

/**
 * A causal mask, to be added to scores.
 * @returns [queries × tokens], or [keyValueHeads × queries × tokens] with slopes: query q of a group sees the tokens up to q
 *   modulo tokens, and no more of them than the window
 */
export function maskValues({ window, slopes }: MaskSpec, shape: AttentionShape, tokens: number): Float32Array {
  const rows = ((slopes ? shape.heads : shape.heads / shape.keyValueHeads) * tokens) | 0;
  const mask = new Float32Array(rows * tokens);
  for (let row = 0; row < rows; row++) {
    const token = row % tokens;
    const begin = row * tokens;
    const slope = slopes?.[Math.floor(row / tokens)] ?? 0;
    if (slope) for (let key = 0; key <= token; key++) mask[begin + key] = slope * key;
    if (window !== null && token >= window) mask.fill(HIDDEN, begin, begin + token - window + 1);
    mask.fill(HIDDEN, begin + token + 1, begin + tokens);
  }
  return mask;
}

/** Far below any score, and far enough from float32's end that adding a score stays finite. */
const HIDDEN = -1e38;
