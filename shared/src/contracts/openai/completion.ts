import { z } from "zod";
import { NEUTRAL_OF_COMPLETIONS } from "./neutral-fields.ts";
import { countPrompts, type Prompt, prompt } from "./prompt.ts";
import { type OtherFields, readRequest } from "./read-request.ts";
import { MAX_ANSWERS, MAX_TOKENS, MAX_TOP_LOG_PROBS } from "./request-limits.ts";
import { samplingFields } from "./sampling-fields.ts";
import { usage } from "./usage.ts";

const fields = {
  ...samplingFields,
  /** a text, tokens, or several of either: each is answered `n` times, and choice i·n + j is the j-th answer to prompt i */
  prompt,
  /** absent: 16, as OpenAI; 0 only with `echo` */
  max_tokens: z.int().min(0).max(MAX_TOKENS).optional(),
  /** likeliest tokens told at every position, beside the one that was taken */
  logprobs: z.int().min(0).max(MAX_TOP_LOG_PROBS).optional(),
  /** the answer begins with the prompt */
  echo: z.boolean().optional(),
};

interface Asked {
  prompt: Prompt;
  n?: number;
  stream?: boolean;
  stream_options?: unknown;
  max_tokens?: number;
  echo?: boolean;
}

const contradictions = (asked: Asked, context: z.RefinementCtx) => {
  const { n = 1, stream, stream_options, max_tokens, echo } = asked;
  const refuse = (field: string, text: string) => context.addIssue({ code: "custom", path: [field], message: text });
  if (stream_options !== undefined && stream !== true) refuse("stream_options", "expected none unless stream is true");
  if (max_tokens === 0 && echo !== true) refuse("max_tokens", "expected at least 1 unless echo is true, got 0");
  const answers = n * countPrompts(asked.prompt);
  if (answers > MAX_ANSWERS)
    refuse("n", `expected at most ${MAX_ANSWERS} answers to all prompts together, got ${answers}`);
};

/** The body of `POST /v1/completions`, as the engine answers it. */
export const completionRequest = z.strictObject(fields).superRefine(contradictions);
/** Of a server behind further fields may be there. */
export type CompletionRequest = z.infer<typeof completionRequest>;

const passingCompletionRequest = z.looseObject(fields).superRefine(contradictions);

/** @throws RefusedRequest */
export function readCompletionRequest(value: unknown, others: OtherFields = "refuse"): CompletionRequest {
  return readRequest(
    {
      schema: completionRequest,
      passing: passingCompletionRequest as z.ZodType<CompletionRequest>,
      own: Object.keys(fields),
      neutral: NEUTRAL_OF_COMPLETIONS,
    },
    value,
    others,
  );
}

/** One entry a token; where a token's text stands already, the likelier one is told. */
const logProbs = z.looseObject({
  tokens: z.array(z.string()),
  token_logprobs: z.array(z.number().nullable()),
  top_logprobs: z.array(z.record(z.string(), z.number()).nullable()).nullable(),
  /** in characters (UTF-16), from the beginning of the answer's text */
  text_offset: z.array(z.int().min(0)),
});
export type CompletionLogProbs = z.infer<typeof logProbs>;

/** One object of a stream; what is new since the one before. */
export const completionChunk = z.looseObject({
  id: z.string().max(256),
  object: z.literal("text_completion"),
  /** seconds since 1970 */
  created: z.int(),
  model: z.string().max(4096),
  choices: z
    .array(
      z.looseObject({
        index: z
          .int()
          .min(0)
          .max(MAX_ANSWERS - 1),
        text: z.string(),
        logprobs: logProbs.nullish(),
        finish_reason: z.string().max(64).nullish(),
      }),
    )
    .max(MAX_ANSWERS),
  usage: usage.nullish(),
});
export type CompletionChunk = z.infer<typeof completionChunk>;

/** An answer that was not streamed. */
export interface Completion {
  id: string;
  object: "text_completion";
  created: number;
  model: string;
  choices: { index: number; text: string; logprobs: CompletionLogProbs | null; finish_reason: string | null }[];
  usage: z.infer<typeof usage>;
}
