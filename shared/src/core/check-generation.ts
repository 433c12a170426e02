import type { ModelBounds } from "./check-model-input.ts";
import { InvalidInputError } from "./errors.ts";
import type { TokenBias } from "./numeric/logit-changes.ts";

/** What is asked, as `GenerateOptions` of ports/engine.ts has it. */
interface Request {
  prompt: Int32Array;
  maxTokens: number;
  temperature: number;
  topK: number | null;
  topP: number | null;
  seed: number;
  stop: readonly number[];
  bias?: readonly TokenBias[];
  presencePenalty?: number;
  frequencyPenalty?: number;
  topLogProbs?: number;
}

/** Most of the likeliest tokens that are told with each token. */
const MAX_TOP_LOG_PROBS = 20;

/** @throws InvalidInputError `GENERATION_INVALID` naming field, expected and got */
export function checkGeneration(request: Request, { vocabularySize, contextTokens }: ModelBounds): void {
  const { prompt, maxTokens, temperature, topK, topP, seed, stop, topLogProbs = 0 } = request;
  const { bias = [], presencePenalty = 0, frequencyPenalty = 0 } = request;
  const expect = (holds: boolean, field: string, expected: string, got: unknown) => {
    if (!holds)
      throw new InvalidInputError("GENERATION_INVALID", `generation: ${field}: expected ${expected}, got ${got}`);
  };
  const known = (id: number) => Number.isInteger(id) && id >= 0 && id < vocabularySize;
  const ids = `token ids from 0 to ${vocabularySize - 1}, the model's vocabulary`;
  expect(prompt.length > 0, "prompt", "at least one token", "none");
  expect(
    prompt.length <= contextTokens,
    "prompt",
    `at most ${contextTokens} tokens, the model's context`,
    prompt.length,
  );
  for (const id of prompt) expect(known(id), "prompt", ids, id);
  for (const id of stop) expect(known(id), "stop", ids, id);
  for (const { id, bias: added } of bias) {
    expect(known(id), "bias", ids, id);
    expect(Number.isFinite(added), "bias", "finite numbers", added);
  }
  expect(Number.isFinite(presencePenalty), "presencePenalty", "a finite number", presencePenalty);
  expect(Number.isFinite(frequencyPenalty), "frequencyPenalty", "a finite number", frequencyPenalty);
  expect(Number.isSafeInteger(maxTokens) && maxTokens >= 0, "maxTokens", "a whole number from 0", maxTokens);
  expect(Number.isFinite(temperature) && temperature >= 0, "temperature", "a number from 0", temperature);
  expect(topK === null || (Number.isSafeInteger(topK) && topK >= 1), "topK", "null or a whole number from 1", topK);
  expect(topP === null || (topP > 0 && topP <= 1), "topP", "null or a number above 0 and at most 1", topP);
  expect(
    Number.isSafeInteger(topLogProbs) && topLogProbs >= 0 && topLogProbs <= MAX_TOP_LOG_PROBS,
    "topLogProbs",
    `a whole number from 0 to ${MAX_TOP_LOG_PROBS}`,
    topLogProbs,
  );
  expect(Number.isSafeInteger(seed) && seed >= 0, "seed", "a whole number from 0", seed);
}
