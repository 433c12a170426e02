import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";

const SECOND_MS = 1000;
const MS_BY_UNIT: Readonly<Record<string, number>> = {
  s: SECOND_MS,
  m: 60 * SECOND_MS,
  h: 3600 * SECOND_MS,
  d: 86_400 * SECOND_MS,
};
/** Ten years: longer is a mistake. */
const LONGEST_MS = 3650 * MS_BY_UNIT.d;

/**
 * `90s`, `30m`, `24h` or `7d`.
 * @param option - as it is written, with its command
 * @returns milliseconds
 * @throws InvalidInputError `BAD_ARGUMENT`
 */
export function readDuration(option: string, text: string): number {
  const [, digits, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const ms = unit === undefined ? Number.NaN : Number(digits) * MS_BY_UNIT[unit];
  if (ms <= LONGEST_MS) return ms;
  throw new InvalidInputError(
    "BAD_ARGUMENT",
    `${option}: expected a number with s, m, h or d, such as 24h, at most 3650d, got ${JSON.stringify(text)}`,
  );
}
