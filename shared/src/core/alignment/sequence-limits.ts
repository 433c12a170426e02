import { InvalidInputError } from "../errors.ts";

/**
 * Most pairs of a source with a target token in one sample: 5,792 tokens against as many. A pair takes at most 5 bytes, so
 * that an alignment takes at most 160 MiB.
 */
export const MAX_TOKEN_PAIRS = 2 ** 25;

/** @throws InvalidInputError `EMPTY_SEQUENCE`, `SEQUENCES_TOO_LONG` */
export function checkSequences(source: readonly string[], target: readonly string[], name: string): void {
  if (source.length === 0 || target.length === 0)
    throw new InvalidInputError(
      "EMPTY_SEQUENCE",
      `${name}: expected at least one token on each side, got ${source.length} of the source and ${target.length} of the target`,
    );
  if (source.length * target.length > MAX_TOKEN_PAIRS)
    throw new InvalidInputError(
      "SEQUENCES_TOO_LONG",
      `${name}: expected at most ${MAX_TOKEN_PAIRS} pairs of tokens in one text, got ${source.length} × ${target.length}; cut the text, or align by byte-offset`,
    );
}
