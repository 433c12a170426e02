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

/** Which of a text's tokens are computed, and what of the text before them is at hand. */
export interface TextPart {
  /** how many are computed */
  readonly tokens: number;
  /** how many came before them */
  readonly first: number;
  /** places for keys that are kept, at least `first`; those from `first` on are empty. They come before the new keys */
  readonly slots: number;
}

/** A whole text, with nothing kept. */
export const wholeText = (tokens: number): TextPart => ({ tokens, first: 0, slots: 0 });

/**
 * A causal mask, to be added to scores. K = slots + tokens.
 * @returns [queries × K], or [keyValueHeads × queries × K] with slopes: query q of a group sees the kept tokens, of the new ones
 *   those up to q modulo tokens, and no more of them all than the window
 */
export function maskValues(spec: MaskSpec, shape: AttentionShape, part: TextPart): Float32Array {
  const rows = (spec.slopes ? shape.heads : shape.heads / shape.keyValueHeads) * part.tokens;
  const mask = new Float32Array(rows * (part.slots + part.tokens));
  fillMask(mask, spec, shape, part);
  return mask;
}

/** Writes what {@link maskValues} gives into zeros. */
export function fillMask(
  mask: Float32Array,
  { window, slopes }: MaskSpec,
  shape: AttentionShape,
  { tokens, first, slots }: TextPart,
): void {
  const rows = (slopes ? shape.heads : shape.heads / shape.keyValueHeads) * tokens;
  const keys = slots + tokens;
  for (let row = 0; row < rows; row++) {
    const token = row % tokens;
    const begin = row * keys;
    const oldest = window === null ? 0 : Math.max(0, first + token - window + 1);
    const slope = slopes?.[Math.floor(row / tokens)] ?? 0;
    if (slope) {
      for (let key = 0; key < first; key++) mask[begin + key] = slope * key;
      for (let key = 0; key <= token; key++) mask[begin + slots + key] = slope * (first + key);
    }
    // what is too old, the empty slots, and what comes later
    mask.fill(HIDDEN, begin, begin + Math.min(oldest, first));
    mask.fill(HIDDEN, begin + first, begin + slots + Math.max(0, oldest - first));
    mask.fill(HIDDEN, begin + slots + token + 1, begin + keys);
  }
}

/** Far below any score, and far enough from float32's end that adding a score stays finite. */
const HIDDEN = -1e38;
