import type { ChatRequest } from "../../contracts/openai/chat.ts";
import type { CompletionRequest } from "../../contracts/openai/completion.ts";
import { RefusedRequest } from "../../contracts/openai/errors.ts";
import { InvalidInputError, InvariantError } from "../../core/errors.ts";
import type { TokenBias } from "../../core/numeric/logit-changes.ts";
import type { InferenceChunk, InferenceRequest } from "../../ports/inference.ts";
import type { GeneratingModel } from "../generate-text.ts";
import { type ChunkWriter, chatChunks, completionChunks } from "./answer-chunks.ts";
import { type AnswerPart, answerParts } from "./answer-parts.ts";
import { type AskedPrompt, type PromptReader, readChatPrompt, readCompletionPrompts } from "./asked-prompt.ts";
import { interleave } from "./interleave.ts";

/** OpenAI's, of completions. Chats go on to the context's end. */
const USUAL_COMPLETION_TOKENS = 16;
/** A share of 0 is the likeliest token alone. */
const LEAST_SHARE = Number.MIN_VALUE;
/** Seeds of drawing are whole numbers of so many bits; a request's may be below 0. */
const SEED_BITS = 53;

/** What requests are answered with. */
export interface AnsweringModel extends GeneratingModel, PromptReader {
  /** tokens that end an answer */
  ends: readonly number[];
}

/** What an answer has of the world. */
export interface AnswerSources {
  /** of one answer, such as `chatcmpl-…` behind its prefix */
  newId(): string;
  /** seconds since 1970 */
  nowSeconds(): number;
  /** a whole number in [0, 2⁵³), for a request that names none */
  newSeed(): number;
}

/** A request as it is computed. */
interface Plan {
  prompts: AskedPrompt[];
  writer: ChunkWriter<InferenceChunk>;
  maxTokens: number;
  tellsTokens: boolean;
  topLogProbs: number;
}

/**
 * Answers a request by OpenAI's stream objects. Answer j to a prompt is drawn by seed + j, so that it does not depend on how many are
 * asked for, or on other prompts. Ending the loop, or the signal (whose reason is thrown), ends all generation.
 *
 * @param adapter - one that the model has loaded; null: the base model alone
 * @throws RefusedRequest before the first object; InvariantError `MODEL_NOT_FINITE`; what the model throws else
 */
export async function* answerRequest(
  open: AnsweringModel,
  sources: AnswerSources,
  request: InferenceRequest,
  adapter: string | null,
  signal: AbortSignal,
): AsyncGenerator<InferenceChunk, void> {
  signal.throwIfAborted();
  const { prompts, writer, maxTokens, tellsTokens, topLogProbs } = planOf(open, sources, request);
  const { n = 1, temperature = 1, top_p: topP = 1, seed = sources.newSeed(), stop = [] } = request.body;
  const bias = biasOf(open, request.body.logit_bias);
  const ending = new AbortController();
  const answers = prompts.flatMap((prompt, place) =>
    Array.from({ length: n }, (_, answer) => {
      const left = open.contextTokens - prompt.tokens.length;
      const continuation = {
        prompt: prompt.tokens,
        dropsSpace: prompt.dropsSpace,
        maxTokens: Math.min(maxTokens, left),
        temperature,
        topK: null,
        topP: topP === 1 ? null : Math.max(topP, LEAST_SHARE),
        seed: Number(BigInt.asUintN(SEED_BITS, BigInt(seed) + BigInt(answer))),
        stop: typeof stop === "string" ? [stop] : stop,
        ends: open.ends,
        bias,
        presencePenalty: request.body.presence_penalty,
        frequencyPenalty: request.body.frequency_penalty,
        adapter,
        topLogProbs,
        signal: AbortSignal.any([signal, ending.signal]),
      };
      return numbered(place * n + answer, answerParts(open, continuation, tellsTokens));
    }),
  );
  let generated = 0;
  let reused = 0;
  try {
    for await (const { index, part } of interleave(answers, () => ending.abort())) {
      generated += part.generated;
      // a prompt is counted once, as its first answer reads it
      if (index % n === 0) reused += part.reused;
      yield* writer.write(index, part);
    }
  } catch (error) {
    throw blameModel(error);
  }
  const read = prompts.reduce((sum, { tokens }) => sum + tokens.length, 0);
  yield writer.finish({
    prompt_tokens: read,
    completion_tokens: generated,
    total_tokens: read + generated,
    prompt_tokens_details: { cached_tokens: reused },
  });
}

/** Numbers that are not finite are no mistake of whoever asks; which folder they are in is not for him to know either. */
function blameModel(error: unknown): unknown {
  if (!(error instanceof InvalidInputError) || error.code !== "MODEL_NOT_FINITE") return error;
  return new InvariantError(error.code, error.message, { cause: error });
}

/** @throws RefusedRequest `INVALID_VALUE` */
function biasOf({ tokenizer }: AnsweringModel, given: Record<string, number> = {}): TokenBias[] {
  const { strings } = tokenizer.vocabulary;
  return Object.entries(given).map(([key, bias]) => {
    const id = Number(key);
    if ((strings[id] ?? null) !== null) return { id, bias };
    throw new RefusedRequest(
      "INVALID_VALUE",
      `logit_bias: expected ids of the model's ${strings.length} tokens, got ${key}`,
      { param: "logit_bias" },
    );
  });
}

async function* numbered(index: number, parts: AsyncGenerator<AnswerPart, void>) {
  for await (const part of parts) yield { index, part };
}

function planOf(open: AnsweringModel, sources: AnswerSources, { kind, body }: InferenceRequest): Plan {
  const head = { created: sources.nowSeconds(), model: body.model };
  return kind === "chat"
    ? planOfChat(open, body, { id: `chatcmpl-${sources.newId()}`, ...head })
    : planOfCompletion(open, body, { id: `cmpl-${sources.newId()}`, ...head });
}

type Head = Parameters<typeof chatChunks>[0];

function planOfChat(open: AnsweringModel, body: ChatRequest, head: Head): Plan {
  const tellsTokens = body.logprobs === true;
  return {
    prompts: [readChatPrompt(open, body)],
    writer: chatChunks(head, tellsTokens),
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? open.contextTokens,
    tellsTokens,
    topLogProbs: body.top_logprobs ?? 0,
  };
}

function planOfCompletion(open: AnsweringModel, body: CompletionRequest, head: Head): Plan {
  const { n = 1, echo, logprobs, max_tokens: maxTokens = USUAL_COMPLETION_TOKENS } = body;
  const tellsTokens = logprobs !== undefined;
  if (echo === true && tellsTokens)
    throw new RefusedRequest(
      "UNSUPPORTED_PARAMETER",
      "logprobs: expected none with echo: the prompt's own tokens are not scored here",
      { param: "logprobs" },
    );
  const prompts = readCompletionPrompts(open, body);
  const echoed = (index: number) => (echo === true ? prompts[Math.floor(index / n)].text : "");
  return {
    prompts,
    writer: completionChunks(head, tellsTokens, echoed),
    maxTokens,
    tellsTokens,
    topLogProbs: logprobs ?? 0,
  };
}
