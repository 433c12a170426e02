import type { EncodedText } from "../core/alignment/encode-sample.ts";
import { InvalidInputError } from "../core/errors.ts";
import type { Sample } from "../core/samples/sample.ts";
import type { TokenizedModel } from "./open-model.ts";

/**
 * A model that reads samples without BOS before them, as lm-evaluation-harness has models read whose tokenizers write none. What it answers
 * needs a prompt: the very first token has nothing before it to be predicted from.
 * @throws InvalidInputError `NOT_A_PROMPT`, when a sample is read whose first token is the answer's
 */
export function withoutOpening(open: TokenizedModel): TokenizedModel {
  const strip = (encode: (sample: Sample) => EncodedText) => (sample: Sample) => {
    const { ids, ends, answer, answerBytes } = encode(sample);
    if (answer[1] === 1)
      throw new InvalidInputError(
        "NOT_A_PROMPT",
        `line or row ${sample.line}: expected a prompt before the answer, got none, and no BOS is read in its place`,
      );
    return { ids: ids.subarray(1), ends: ends.subarray(1), answer: answer.subarray(1), answerBytes };
  };
  return { ...open, encode: strip(open.encode), encodeScored: strip(open.encodeScored) };
}
