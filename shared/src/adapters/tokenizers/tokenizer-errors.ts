import { InvalidInputError } from "../../core/errors.ts";

/** @param kind - what the tokenizer has that is not understood */
export function unsupported(what: string, kind: string): InvalidInputError {
  return new InvalidInputError(
    "TOKENIZER_UNSUPPORTED",
    `${what}: expected BPE (byte-level, SentencePiece's or over characters), WordPiece or Unigram, with steps whose byte ranges are known, got ${kind}`,
  );
}

export function invalid(what: string, message: string): InvalidInputError {
  return new InvalidInputError("INVALID_TOKENIZER", `${what}: ${message}`);
}

/** Says where the text fails, never what stands there: it may be private. */
export function unrepresentable(what: string, byte: number, reason: string): InvalidInputError {
  return new InvalidInputError(
    "UNREPRESENTABLE_TEXT",
    `${what}: the text cannot be written in this tokenizer's tokens from byte ${byte} on: ${reason}`,
  );
}
