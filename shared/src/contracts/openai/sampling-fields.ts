import { z } from "zod";
import { boundedList } from "./bounded-list.ts";
import { logitBias } from "./logit-bias.ts";
import { MAX_ANSWERS, MAX_MODEL_NAME, MAX_STOP_LENGTH, MAX_STOPS, MAX_TOKENS } from "./request-limits.ts";

const stopText = z
  .string()
  .min(1)
  .max(MAX_STOP_LENGTH)
  .refine((text) => text.isWellFormed(), "expected well-formed Unicode, got half a surrogate pair");
const penalty = z.number().min(-2).max(2).optional();

/** Tokens of one answer; 0 only where the prompt itself is echoed. */
export const tokenCount = z.int().min(1).max(MAX_TOKENS);

/** What chats and completions ask in the same words. */
export const samplingFields = {
  /** the base model, or an adapter */
  model: z.string().min(1).max(MAX_MODEL_NAME),
  stream: z.boolean().optional(),
  stream_options: z
    .looseObject({
      /** the last object of the stream has the usage, and no choices */
      include_usage: z.boolean().nullish(),
    })
    .optional(),
  /** answers to one prompt */
  n: z.int().min(1).max(MAX_ANSWERS).optional(),
  /** 0: always the likeliest token */
  temperature: z.number().min(0).max(2).optional(),
  /** 0: as if it were the smallest number above it, the likeliest token alone */
  top_p: z.number().min(0).max(1).optional(),
  /** equal requests with equal seeds have equal answers */
  seed: z.int().optional(),
  /** taken from the logits of tokens that have come: once, or once for each time */
  presence_penalty: penalty,
  frequency_penalty: penalty,
  /** added to the logits of tokens, by id */
  logit_bias: logitBias.optional(),
  /** the answer ends before the first of them */
  stop: z.union([stopText, boundedList(stopText, 0, MAX_STOPS)]).optional(),
};
