import type { MethodChoices } from "../contracts/methods.ts";
import { encodeSample } from "../core/alignment/encode-sample.ts";
import { InvalidInputError } from "../core/errors.ts";
import type { Knowledge } from "../core/knowledge.ts";
import { formatSampleId, type Sample } from "../core/samples/sample.ts";
import type { Tokenizer } from "../ports/tokenizer.ts";

/** Whose shard, and what it must be about. */
export interface ExpectedTokens {
  party: string;
  tokenizer: Tokenizer;
  contextTokens: number;
  samples: readonly Sample[];
  positions: MethodChoices["positions"];
}

/**
 * Reads a shard's public samples again with the party's tokenizer and refuses a shard whose tokens are not those. A shard's losses are
 * checked against its own tokens: only with the true tokens does that check bind the losses to the text.
 * @throws InvalidInputError `SHARD_LIE` naming party, shard and sample
 */
export function checkTokens(
  knowledge: Knowledge,
  { party, tokenizer, contextTokens, samples, positions }: ExpectedTokens,
  what: string,
): void {
  const refuse = (index: number, reason: string) =>
    new InvalidInputError("SHARD_LIE", `${what}, sample ${index}: ${reason}`);
  if (samples.length !== knowledge.lossNats.length)
    throw refuse(0, `expected ${samples.length} samples, got ${knowledge.lossNats.length}`);
  for (const [index, sample] of samples.entries()) {
    const expected = encodeSample(sample, tokenizer, contextTokens, party);
    const [begin, end] = [knowledge.tokenOffsets[index], knowledge.tokenOffsets[index + 1]];
    const [from, to] = [knowledge.positionOffsets[index], knowledge.positionOffsets[index + 1]];
    if (!equal(knowledge.sampleIds.subarray(index * 16, index * 16 + 16), sample.id))
      throw refuse(index, `expected sample ${formatSampleId(sample.id)} of the public set`);
    if (!equal(knowledge.tokenIds.subarray(begin, end), expected.ids))
      throw refuse(index, "expected the tokens that the party's tokenizer gives to this sample, got others");
    if (!equal(knowledge.tokenEnds.subarray(begin, end), expected.ends))
      throw refuse(index, "expected the ends that the party's tokens have in this sample, got others");
    if (knowledge.answerBytes[index] !== expected.answerBytes)
      throw refuse(index, `expected ${expected.answerBytes} answer bytes, got ${knowledge.answerBytes[index]}`);
    const answers = expected.answer.reduce((sum, flag) => sum + flag, 0);
    if (knowledge.answerPositions[index] !== answers)
      throw refuse(index, `expected ${answers} answer positions, got ${knowledge.answerPositions[index]}`);
    const all = positions === "all" ? expected.ids.length - 1 : answers;
    if (to - from !== all) throw refuse(index, `expected ${all} positions, got ${to - from}`);
  }
}

function equal(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}
