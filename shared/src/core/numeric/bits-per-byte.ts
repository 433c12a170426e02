import { invariant } from "../errors.ts";

/**
 * A loss in bits per byte: nats / bytes / ln 2. Comparable between tokenizers, as nats per token are not.
 *
 * @param nats - summed over answer tokens, EOS included where it is one
 * @param bytes - UTF-8 length of the answer, at least 1
 * @example bitsPerByte(Math.LN2 * 6, 3) // 2
 */
export function bitsPerByte(nats: number, bytes: number): number {
  invariant(bytes > 0, "EMPTY_ANSWER", `bitsPerByte: expected at least 1 byte, got ${bytes}`);
  return nats / bytes / Math.LN2;
}
