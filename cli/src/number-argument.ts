import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";

/** What a number of the command line may be. */
export interface NumberRange {
  least: number;
  most: number;
  /** unless fractions make sense */
  whole?: boolean;
}

const NUMBER = /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/;

/**
 * @param option - as it is written, with its command: `fedmkt generate: --top-p`
 * @throws InvalidInputError `BAD_ARGUMENT`
 */
export function readNumber(option: string, text: string, { least, most, whole = true }: NumberRange): number {
  const value = Number(text);
  if (!NUMBER.test(text) || (whole && !Number.isInteger(value)) || value < least || value > most)
    throw new InvalidInputError(
      "BAD_ARGUMENT",
      `${option}: expected a ${whole ? "whole " : ""}number from ${least} to ${most}, got ${JSON.stringify(text)}`,
    );
  return value;
}
