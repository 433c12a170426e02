import { z } from "zod";
import { boundedList } from "./bounded-list.ts";
import { NEUTRAL_OF_CHATS } from "./neutral-fields.ts";
import { type OtherFields, readRequest } from "./read-request.ts";
import { MAX_ANSWERS, MAX_MESSAGES, MAX_NEUTRAL_TEXT, MAX_PARTS, MAX_TOP_LOG_PROBS } from "./request-limits.ts";
import { samplingFields, tokenCount } from "./sampling-fields.ts";
import { usage } from "./usage.ts";

const textPart = z.strictObject({ type: z.literal("text"), text: z.string() });

const message = z.strictObject({
  role: z.enum(["system", "developer", "user", "assistant"]),
  content: z.union([z.string(), boundedList(textPart, 1, MAX_PARTS)]),
  name: z.string().max(MAX_NEUTRAL_TEXT).optional(),
  // an answer that is handed back as it came has them
  refusal: z.null().optional(),
  annotations: boundedList(z.never(), 0, 0).nullish(),
  audio: z.null().optional(),
  function_call: z.null().optional(),
  tool_calls: boundedList(z.never(), 0, 0).nullish(),
});
export type ChatMessage = z.infer<typeof message>;

/** Tools and their answers, pictures: whatever the server behind knows. */
const passingMessage = z.looseObject({ role: z.string().max(64) });

const fields = {
  ...samplingFields,
  messages: boundedList(message, 1, MAX_MESSAGES),
  /** the older name of the next one, which goes first where both are there */
  max_tokens: tokenCount.optional(),
  max_completion_tokens: tokenCount.optional(),
  logprobs: z.boolean().optional(),
  /** likeliest tokens told at every position, beside the one that was taken */
  top_logprobs: z.int().min(0).max(MAX_TOP_LOG_PROBS).optional(),
};

interface Asked {
  stream?: boolean;
  stream_options?: unknown;
  logprobs?: boolean;
  top_logprobs?: number;
}

const contradictions = ({ stream, stream_options, logprobs, top_logprobs }: Asked, context: z.RefinementCtx) => {
  const refuse = (field: string, text: string) => context.addIssue({ code: "custom", path: [field], message: text });
  if (stream_options !== undefined && stream !== true) refuse("stream_options", "expected none unless stream is true");
  if (top_logprobs !== undefined && logprobs !== true) refuse("top_logprobs", "expected none unless logprobs is true");
};

/** The body of `POST /v1/chat/completions`, as the engine answers it. */
export const chatRequest = z.strictObject(fields).superRefine(contradictions);
/** Of a server behind further fields may be there, and messages of further forms. */
export type ChatRequest = z.infer<typeof chatRequest>;

const passingChatRequest = z
  .looseObject({ ...fields, messages: boundedList(passingMessage, 1, MAX_MESSAGES) })
  .superRefine(contradictions);

/** @throws RefusedRequest */
export function readChatRequest(value: unknown, others: OtherFields = "refuse"): ChatRequest {
  const passing = passingChatRequest as unknown as z.ZodType<ChatRequest>;
  return readRequest(
    { schema: chatRequest, passing, own: Object.keys(fields), neutral: NEUTRAL_OF_CHATS },
    value,
    others,
  );
}

const finishReason = z.string().max(64).nullable();
/** Why an answer ended, as the engine tells it. */
export type FinishReason = "stop" | "length";

const tokenLogProb = z.looseObject({
  token: z.string(),
  logprob: z.number(),
  /** the token's UTF-8 bytes, since it may be part of a character */
  bytes: z.array(z.int().min(0).max(255)).nullish(),
});
const logProbs = z.looseObject({
  content: z.array(tokenLogProb.extend({ top_logprobs: z.array(tokenLogProb) })).nullish(),
});
export type ChatTokenLogProb = z.infer<typeof tokenLogProb>;
export type ChatLogProbs = z.infer<typeof logProbs>;

/** One object of a stream; what is new since the one before. */
export const chatChunk = z.looseObject({
  id: z.string().max(256),
  object: z.literal("chat.completion.chunk"),
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
        delta: z.looseObject({ role: z.string().max(64).nullish(), content: z.string().nullish() }),
        logprobs: logProbs.nullish(),
        finish_reason: finishReason.optional(),
      }),
    )
    .max(MAX_ANSWERS),
  usage: usage.nullish(),
});
export type ChatChunk = z.infer<typeof chatChunk>;

/** An answer that was not streamed. */
export interface ChatCompletion {
  id: string;
  object: "chat.completion";
  created: number;
  model: string;
  choices: {
    index: number;
    message: { role: string; content: string | null; refusal: string | null; [further: string]: unknown };
    logprobs: ChatLogProbs | null;
    finish_reason: string | null;
  }[];
  usage: z.infer<typeof usage>;
}
