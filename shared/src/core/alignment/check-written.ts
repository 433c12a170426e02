import { InvalidInputError } from "../errors.ts";
import type { EncodedText } from "./encode-sample.ts";

/**
 * Refuses an answer of which a model reads some part only as `<unk>`. Such a token is cheap to predict and stands for any
 * number of bytes, so its loss per byte would compare with nobody's: the party that cannot read a text would win it.
 *
 * @param unknown - the id of the tokenizer's unknown token; null where it has none
 * @param what - whose sample, and which; named in the error
 * @throws InvalidInputError `ANSWER_UNWRITABLE` with the first byte that cannot be written
 */
export function checkWritten({ ids, ends, answer }: EncodedText, unknown: number | null, what: string): void {
  const token = ids.findIndex((id, index) => id === unknown && answer[index] === 1);
  if (token < 0) return;
  throw new InvalidInputError(
    "ANSWER_UNWRITABLE",
    `${what}: the tokenizer has no token for what begins at byte ${Math.max(0, ends[token - 1])}, so its loss would compare with nobody's; expected text that every party can write: keepCharactersOf drops other characters`,
  );
}
