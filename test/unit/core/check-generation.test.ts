import { describe, expect, it } from "@jest/globals";
import { checkGeneration } from "../../../shared/src/core/check-generation.ts";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";

const BOUNDS = { vocabularySize: 29, contextTokens: 4 };
const ASKED = {
  prompt: Int32Array.of(0, 28),
  maxTokens: 0,
  temperature: 0,
  topK: null as number | null,
  topP: null as number | null,
  seed: 0,
  stop: [0, 28],
  topLogProbs: undefined as number | undefined,
  bias: undefined as { id: number; bias: number }[] | undefined,
  presencePenalty: undefined as number | undefined,
  frequencyPenalty: undefined as number | undefined,
};

describe("what is asked of a model's generation", () => {
  it.each([
    ["the least of everything", {}],
    ["the most of everything", { prompt: new Int32Array(4), topP: 1, maxTokens: Number.MAX_SAFE_INTEGER }],
    ["one token of the likeliest, however small their mass", { topK: 1, topP: Number.MIN_VALUE, temperature: 2.5 }],
    ["the likeliest tokens beside each", { topLogProbs: 20 }],
    ["no token beside each", { topLogProbs: 0 }],
    ["other logits than the model's", { bias: [{ id: 28, bias: -100 }], presencePenalty: -2, frequencyPenalty: 2 }],
    ["a prompt of one token", { prompt: Int32Array.of(5), stop: [] }],
  ])("may be %s", (_, change) => {
    expect(() => checkGeneration({ ...ASKED, ...change }, BOUNDS)).not.toThrow();
  });

  const ids = "token ids from 0 to 28, the model's vocabulary";
  it.each<[change: Partial<typeof ASKED>, message: string]>([
    [{ prompt: new Int32Array(0) }, "prompt: expected at least one token, got none"],
    [{ prompt: new Int32Array(5) }, "prompt: expected at most 4 tokens, the model's context, got 5"],
    [{ prompt: Int32Array.of(0, 29) }, `prompt: expected ${ids}, got 29`],
    [{ prompt: Int32Array.of(-1) }, `prompt: expected ${ids}, got -1`],
    [{ stop: [29] }, `stop: expected ${ids}, got 29`],
    [{ stop: [1.5] }, `stop: expected ${ids}, got 1.5`],
    [{ maxTokens: -1 }, "maxTokens: expected a whole number from 0, got -1"],
    [{ maxTokens: 0.5 }, "maxTokens: expected a whole number from 0, got 0.5"],
    [{ temperature: -0.1 }, "temperature: expected a number from 0, got -0.1"],
    [{ temperature: Number.POSITIVE_INFINITY }, "temperature: expected a number from 0, got Infinity"],
    [{ topK: 0 }, "topK: expected null or a whole number from 1, got 0"],
    [{ topK: 1.5 }, "topK: expected null or a whole number from 1, got 1.5"],
    [{ topP: 0 }, "topP: expected null or a number above 0 and at most 1, got 0"],
    [{ topP: 1.01 }, "topP: expected null or a number above 0 and at most 1, got 1.01"],
    [{ seed: -1 }, "seed: expected a whole number from 0, got -1"],
    [{ topLogProbs: -1 }, "topLogProbs: expected a whole number from 0 to 20, got -1"],
    [{ topLogProbs: 0.5 }, "topLogProbs: expected a whole number from 0 to 20, got 0.5"],
    [{ topLogProbs: 21 }, "topLogProbs: expected a whole number from 0 to 20, got 21"],
    [
      {
        bias: [
          { id: 0, bias: 1 },
          { id: 29, bias: 1 },
        ],
      },
      `bias: expected ${ids}, got 29`,
    ],
    [{ bias: [{ id: 0, bias: Number.NaN }] }, "bias: expected finite numbers, got NaN"],
    [{ presencePenalty: Number.POSITIVE_INFINITY }, "presencePenalty: expected a finite number, got Infinity"],
    [{ frequencyPenalty: Number.NaN }, "frequencyPenalty: expected a finite number, got NaN"],
    [{ seed: 2 ** 53 }, "seed: expected a whole number from 0, got 9007199254740992"],
  ])("is refused by field: %j", (change, message) => {
    expect(() => checkGeneration({ ...ASKED, ...change }, BOUNDS)).toThrow(
      new InvalidInputError("GENERATION_INVALID", `generation: ${message}`),
    );
    expect(() => checkGeneration({ ...ASKED, ...change }, BOUNDS)).toThrow(
      expect.objectContaining({ code: "GENERATION_INVALID" }),
    );
  });
});
