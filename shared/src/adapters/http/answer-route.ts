import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { readChatRequest } from "../../contracts/openai/chat.ts";
import { readCompletionRequest } from "../../contracts/openai/completion.ts";
import { PostponedRequest, RefusedRequest } from "../../contracts/openai/errors.ts";
import { countPrompts } from "../../contracts/openai/prompt.ts";
import { InvariantError } from "../../core/errors.ts";
import type { FairQueue } from "../../core/serving/fair-queue.ts";
import { StreamFold, writeChatCompletion, writeCompletion } from "../../core/serving/fold-chunks.ts";
import type { InferenceChunk, InferenceRequest } from "../../ports/inference.ts";
import type { ResolvedModel } from "../../ports/served-names.ts";
import type { Call } from "./call.ts";
import { answerError } from "./error-answers.ts";
import { EventStream } from "./event-stream.ts";
import type { HttpDependencies, HttpLimits, HttpSettings } from "./http-settings.ts";
import type { Rates } from "./rates.ts";
import { takeTurn } from "./turns.ts";

export interface AnswerRoutes {
  dependencies: HttpDependencies;
  settings: HttpSettings;
  limits: HttpLimits;
  queue: FairQueue;
  rates: Rates;
  nowMs(): number;
  /** Of a request that was sent a stream, whose status is 200 whatever comes. */
  onFailure(request: FastifyRequest, error: unknown): void;
}

/** Texts have four bytes a token, or less: what an answer that was broken off took is not known better. */
const BYTES_PER_TOKEN = 4;

/** `POST /v1/chat/completions` and `POST /v1/completions`. */
export function addAnswerRoutes(app: FastifyInstance, routes: AnswerRoutes): void {
  const { otherFields } = routes.settings;
  app.post("/v1/chat/completions", (request, reply) =>
    answer(routes, { kind: "chat", body: readChatRequest(request.body, otherFields) }, request, reply),
  );
  app.post("/v1/completions", (request, reply) =>
    answer(routes, { kind: "completion", body: readCompletionRequest(request.body, otherFields) }, request, reply),
  );
}

async function answer(
  routes: AnswerRoutes,
  asked: InferenceRequest,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const { dependencies, limits } = routes;
  const { call } = request;
  const resolved = resolve(dependencies, asked.body.model);
  call.model = asked.body.model;
  const { signal } = call.gone;
  const told = { pieces: 0 };
  try {
    const chunks = () => compute(routes, asked, resolved, call, told);
    if (asked.body.stream !== true) return await fold(asked.kind, chunks());
    const stream = new EventStream(reply, { signal, keepAliveMs: limits.keepAliveMs, stallMs: limits.stallMs });
    try {
      await send(stream, asked.body.stream_options?.include_usage === true, chunks());
      stream.end("[DONE]");
    } catch (error) {
      stream.stop();
      if (!stream.opened) throw error;
      routes.onFailure(request, error);
      stream.end(JSON.stringify(answerError(error).body));
    }
    return reply;
  } finally {
    resolved.release();
    await routes.rates.spend(call.holder!, call.usage?.total_tokens ?? estimateTokens(request, told.pieces));
  }
}

/** @throws RefusedRequest `MODEL_NOT_FOUND` 404, PostponedRequest `NOT_READY` 503 */
function resolve({ isReady, names }: HttpDependencies, model: string): ResolvedModel {
  if (!isReady()) throw notReady();
  const resolved = names.resolve(model);
  if (resolved !== null) return resolved;
  throw modelNotFound(model);
}

export function notReady(): PostponedRequest {
  return new PostponedRequest("NOT_READY", "the model is not there yet: try again soon", {
    status: 503,
    retryAfterSeconds: 1,
  });
}

export function modelNotFound(model: string): RefusedRequest {
  return new RefusedRequest(
    "MODEL_NOT_FOUND",
    `The model \`${model.slice(0, 256)}\` does not exist: GET /v1/models lists those that do`,
    {
      status: 404,
      param: "model",
    },
  );
}

/**
 * Waits for the turn and computes; the turn ends with the loop.
 * @param told - counts the objects with choices
 */
async function* compute(
  { dependencies, queue, nowMs }: AnswerRoutes,
  asked: InferenceRequest,
  { adapter }: ResolvedModel,
  call: Call,
  told: { pieces: number },
): AsyncGenerator<InferenceChunk> {
  const { signal } = call.gone;
  const turn = await takeTurn(queue, {
    key: call.holder!.id,
    places: countAnswers(asked),
    signal,
    nowMs,
    onWaited: (waitedMs, awayMs) => {
      call.waitedMs = waitedMs;
      dependencies.onWaited?.((waitedMs + awayMs) / 1000);
    },
  });
  try {
    for await (const chunk of dependencies.inference.answer(asked, adapter, signal)) {
      if (chunk.choices.length > 0) told.pieces++;
      if (call.firstTokenMs === null && chunk.choices.some(saysSomething)) call.firstTokenMs = nowMs() - call.startedMs;
      call.usage = chunk.usage ?? call.usage;
      yield chunk;
    }
    signal.throwIfAborted();
    if (call.usage === null)
      throw new InvariantError("STREAM_UNFINISHED", "an answer's stream ended before its usage was told");
  } finally {
    turn.leave();
  }
}

function countAnswers(asked: InferenceRequest): number {
  const { n = 1 } = asked.body;
  return asked.kind === "chat" ? n : n * countPrompts(asked.body.prompt);
}

function saysSomething(choice: InferenceChunk["choices"][number]): boolean {
  const said = "delta" in choice ? (choice.delta as { content?: unknown }).content : choice.text;
  return (typeof said === "string" && said !== "") || typeof choice.finish_reason === "string";
}

async function fold(kind: InferenceRequest["kind"], chunks: AsyncIterable<InferenceChunk>): Promise<unknown> {
  const stream = new StreamFold();
  for await (const chunk of chunks) stream.add(chunk);
  return (kind === "chat" ? writeChatCompletion : writeCompletion)(stream.result());
}

/** Where the usage is asked for, every object but the last has a null in its place. */
async function send(stream: EventStream, withUsage: boolean, chunks: AsyncIterable<InferenceChunk>): Promise<void> {
  for await (const { usage, ...chunk } of chunks)
    if (withUsage) await stream.send(JSON.stringify({ ...chunk, usage: usage ?? null }));
    else if (chunk.choices.length > 0) await stream.send(JSON.stringify(chunk));
}

/** An answer that was computed at least in part, and broke off before it told its usage. */
function estimateTokens(request: FastifyRequest, pieces: number): number {
  if (pieces === 0) return 0;
  const bodyBytes = Number(request.headers["content-length"] ?? 0);
  return pieces + Math.ceil(bodyBytes / BYTES_PER_TOKEN);
}
